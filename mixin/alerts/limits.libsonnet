// Whether the exporter comes close to a limit: token, rate, clock, ledger.
function(config)
  local q = (import '../lib/promql.libsonnet')(config);
  [
    {
      name: 'CecTokenNotRenewed',
      severity: 'warning',
      hold: '2m',
      // With pulls further apart than a token is renewed before its end, it may rightly run out.
      expr: |||
        target:cec_exporter_token_left_seconds:max %s
          unless
        %s >= on () group_left () max(cec:token_renewal_seconds:threshold)
      ||| % [q.below('token_left_seconds'), q.one('cec_exporter_min_pull_interval_seconds')],
      summary: {
        en: 'The access token of {{ $labels.target }} is about to expire and is not renewed.',
        zh: '目标 {{ $labels.target }} 的 Token 即将过期且未续期。',
      },
      description: {
        en: '{{ if lt $value 0.0 }}The access token of {{ $labels.target }} had expired at the last scrape{{ else }}The access token of {{ $labels.target }} had only {{ $value | humanizeDuration }} left at the last scrape{{ end }}, and it has not been renewed.',
        zh: '{{ if lt $value 0.0 }}最近一次抓取时，目标 {{ $labels.target }} 的 Token 已过期{{ else }}最近一次抓取时，目标 {{ $labels.target }} 的 Token 仅剩 {{ $value | humanizeDuration }}{{ end }}，且未取得新的 Token。',
      },
      title: { en: 'The access token is not renewed.', zh: 'Token 未能续期。' },
      means: {
        en: |||
          The exporter renews its token one minute before it expires, or with a fifth of its lifetime left if
          that is less. For two minutes, less than 10 seconds were left at each scrape. The alert ignores targets
          whose `min_pull_interval` is a minute or more: there, a token may expire between two pulls without harm.
        |||,
        zh: |||
          exporter 在 Token 到期前一分钟续期（有效期的五分之一更短时，按五分之一）。两分钟以来，每次抓取时剩余都不足 10 秒。`min_pull_interval` 在一分钟及以上的目标不参与判断：Token 在两次同步之间过期属正常。
        |||,
      },
      affects: {
        en: 'All requests of this target, once the token has expired: pulls then fail ([CecTargetDown](CecTargetDown.md)).',
        zh: 'Token 过期后，该目标的所有请求都会失败，同步随之失败，见 [CecTargetDown](CecTargetDown.md)。',
      },
      queries: [
        [{ en: 'Remaining lifetime as of each scrape, in seconds', zh: '每次抓取时的剩余秒数' }, 'cec_exporter_token_expiry_timestamp_seconds - timestamp(cec_exporter_token_expiry_timestamp_seconds)'],
        [{ en: 'Responses of the token endpoint', zh: '获取 Token 接口的返回' }, 'sum by (target, code) (increase(cec_exporter_api_requests_total{api="token"}[30m]))'],
      ],
      steps: {
        en: |||
          1. 429: another program requests tokens with the same key. Use a separate key for the exporter.
          2. 401 or 403: the key or secret was changed or blocked. Update the configuration and reload it; a new
             secret in `app_secret_file` is read without a reload.
          3. No requests, or `connect` and `timeout`: check `token_endpoint`. Some deployments serve it on
             another host or port. `cec_exporter check` tries it.
        |||,
        zh: |||
          1. 429：有其他程序用同一 app_key 获取 Token，请为 exporter 单独申请。
          2. 401 或 403：密钥已变更或被停用，更新配置并重新加载；`app_secret_file` 中的新密钥无需重新加载即可生效。
          3. 没有请求，或为 `connect`、`timeout`：检查 `token_endpoint`，有的环境使用另外的域名或端口。可用 `cec_exporter check` 验证。
        |||,
      },
      resolves: {
        en: 'With the next token.',
        zh: '取得新的 Token 后。',
      },
    },
    {
      name: 'CecRateLimited',
      severity: 'warning',
      hold: '15m',
      expr: 'target:cec_exporter_api_requests:rate_limited_ratio_rate15m ' + q.above('rate_limited_ratio'),
      summary: {
        en: 'Requests for {{ $labels.target }} are rate limited.',
        zh: '目标 {{ $labels.target }} 的请求被限流。',
      },
      description: {
        en: '{{ $value | humanizePercentage }} of the requests for {{ $labels.target }} in the last 15 minutes returned 429.',
        zh: '最近 15 分钟，目标 {{ $labels.target }} 有 {{ $value | humanizePercentage }} 的请求返回 429。',
      },
      title: { en: 'The vendor limits the rate of requests.', zh: '请求过多，被云客服侧限流。' },
      means: {
        en: |||
          More than 5 % of the requests in the last 15 minutes returned 429. The exporter waits as long as the
          vendor requests, and retries.
        |||,
        zh: |||
          最近 15 分钟超过 5% 的请求返回 429。exporter 按云客服侧要求的时间等待后重试。
        |||,
      },
      affects: {
        en: 'All targets and programs that use the same `app_key`, because they share the limit. The metrics are late but correct. If it lasts, pulls fail.',
        zh: '使用同一 app_key 的全部目标和其他程序都会受影响，因为限流额度共用。指标会延迟，但不会出错；持续限流会导致同步失败。',
      },
      queries: [
        [{ en: 'Rate-limited requests', zh: '哪些请求被限流' }, 'sum by (target, api) (rate(cec_exporter_api_requests_total{code="429"}[15m]))'],
        [{ en: 'All requests', zh: '请求总量' }, 'sum by (target, api) (rate(cec_exporter_api_requests_total[15m]))'],
        [{ en: 'Exporters per target', zh: '同步该目标的 exporter 个数' }, 'target:cec_up:count'],
      ],
      steps: {
        en: |||
          1. Lower `max_requests_per_second` of the target to the vendor's limit, and
             `max_concurrent_requests` accordingly.
          2. Raise `page_size`, which needs fewer requests for the same calls.
          3. Raise the scrape interval or `min_pull_interval`.
          4. If other programs use the same key, divide the limit among them.
          5. If requests with `api="token"` are limited, see [CecTokenNotRenewed](CecTokenNotRenewed.md); with
             `api="credit"`, lower `share` of `results`.
        |||,
        zh: |||
          1. 将该目标的 `max_requests_per_second` 调到云客服侧的限流值以内，并相应调小 `max_concurrent_requests`。
          2. 调大 `page_size`，用更少的请求读取同样多的通话。
          3. 调大抓取间隔或 `min_pull_interval`。
          4. 与同一 app_key 的其他程序共用额度时，协商分配。
          5. 被限流的是 `api="token"`：见 [CecTokenNotRenewed](CecTokenNotRenewed.md)；是 `api="credit"`：调小 `results` 的 `share`。
        |||,
      },
      resolves: {
        en: 'Once fewer than 5 % of the requests of the last 15 minutes were limited.',
        zh: '最近 15 分钟被限流的请求低于 5% 后恢复。',
      },
    },
    {
      name: 'CecClockSkew',
      severity: 'warning',
      hold: '30m',
      expr: '%s %s' % [q.one('abs(cec_exporter_clock_skew_seconds)'), q.above('clock_skew_seconds')],
      summary: {
        en: 'The clocks of {{ $labels.target }} and the exporter differ.',
        zh: '目标 {{ $labels.target }} 与 exporter 的时钟不一致。',
      },
      description: {
        en: "The vendor's clock for {{ $labels.target }} and the exporter's are {{ $value | humanizeDuration }} apart.",
        zh: '目标 {{ $labels.target }} 的云客服侧时钟与 exporter 相差 {{ $value | humanizeDuration }}。',
      },
      title: { en: "The vendor's clock and the exporter's differ.", zh: '云客服侧与 exporter 的时钟不一致。' },
      means: {
        en: |||
          The two clocks have been more than a minute apart for half an hour.
        |||,
        zh: |||
          半小时以来，两侧时钟一直相差一分钟以上。
        |||,
      },
      affects: {
        en: 'Up to a difference of `overlap` (10 minutes by default), only processing times and listing delays are wrong, by the difference. Beyond it, new calls are counted late or not at all.',
        zh: '相差不超过 `overlap`（默认 10 分钟）时，只有质检耗时和列表延迟会有同样大小的偏差；超过时，新通话会晚计，甚至漏计。',
      },
      queries: [
        [{ en: 'The difference in seconds; positive: the exporter is ahead', zh: '时钟差（秒），正数表示 exporter 的时钟快' }, 'cec_exporter_clock_skew_seconds'],
      ],
      steps: {
        en: |||
          1. Check that NTP is synchronised on the exporter's host (`timedatectl`).
          2. If all targets show the same difference, the exporter's clock is wrong; otherwise the vendor's.
          3. Until it is corrected, keep `overlap` above the difference.
        |||,
        zh: |||
          1. 检查 exporter 所在主机的 NTP 是否正常同步（`timedatectl`）。
          2. 所有目标偏差相同，是 exporter 所在主机的时钟问题；仅个别目标有偏差，是云客服侧的问题。
          3. 更正之前，保持 `overlap` 大于时钟差。
        |||,
      },
      resolves: {
        en: 'With the first response of the vendor after the clock is right.',
        zh: '时钟更正后，收到云客服侧的下一个响应即恢复。',
      },
    },
    {
      name: 'CecLedgerNearlyFull',
      severity: 'warning',
      hold: '15m',
      expr: '%s / %s %s' % [q.one('cec_exporter_ledger_calls'), q.one('cec_exporter_ledger_calls_limit'), q.above('ledger_used_ratio')],
      summary: {
        en: 'The ledger of {{ $labels.target }} is nearly full.',
        zh: '目标 {{ $labels.target }} 的台账即将用满。',
      },
      description: {
        en: 'The ledger of {{ $labels.target }} is at {{ $value | humanizePercentage }} of max_calls. Once it is full, pulls fail.',
        zh: '目标 {{ $labels.target }} 的台账条数已达 max_calls 的 {{ $value | humanizePercentage }}，用满后同步将失败。',
      },
      title: { en: 'The ledger is nearly full.', zh: '台账即将用满。' },
      means: {
        en: |||
          The exporter remembers every call in the lookback, up to `max_calls` (5,000,000 by default). More than
          90 % of that limit is in use.
        |||,
        zh: |||
          台账保存回溯窗口内的每条通话，最多 `max_calls` 条（默认 5,000,000）。目前已用 90% 以上。
        |||,
      },
      affects: {
        en: 'Nobody yet. Once the ledger is full, pulls of this target fail and its new calls are not counted.',
        zh: '目前没有影响。用满后，该目标的同步会失败，新通话不计数。',
      },
      queries: [
        [{ en: 'Calls remembered', zh: '台账条数' }, 'cec_exporter_ledger_calls'],
        [{ en: 'The limit', zh: '上限' }, 'cec_exporter_ledger_calls_limit'],
        [{ en: 'Memory of the process', zh: '进程内存' }, 'process_resident_memory_bytes and on (job, instance) cec_exporter_build_info'],
      ],
      steps: {
        en: |||
          1. If memory permits, raise `max_calls`: a call takes well under 100 bytes.
          2. Otherwise shorten `lookback`, or divide the target into two with `call_types: [voice]` and
             `call_types: [text]`. The counters of a target with a new name start over.
        |||,
        zh: |||
          1. 内存允许时调大 `max_calls`：每条通话占用远小于 100 字节。
          2. 否则缩短 `lookback`，或拆成两个目标，分别设置 `call_types: [voice]` 和 `call_types: [text]`。新名称的目标，计数器从头开始。
        |||,
      },
      resolves: {
        en: 'When the limit is higher, or enough calls have left the lookback.',
        zh: '上限调大后，或足够多的通话移出回溯窗口后恢复。',
      },
    },
  ]
