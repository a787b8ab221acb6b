// Whether what is read is complete, in time and usable.
function(config)
  local q = (import '../lib/promql.libsonnet')(config);
  [
    {
      name: 'CecFrontierBehind',
      severity: 'warning',
      hold: '30m',
      // With pulls far apart on purpose, the frontier is that far behind just before each.
      expr: |||
        target:cec_exporter_frontier_lag_seconds:min %s
          unless
        2 * %s >= target:cec_exporter_frontier_lag_seconds:min
      ||| % [q.above('frontier_lag_seconds'), q.one('cec_exporter_min_pull_interval_seconds')],
      summary: {
        en: 'The list of calls of {{ $labels.target }} is not read up to the present.',
        zh: '目标 {{ $labels.target }} 的通话记录未读到最新。',
      },
      description: {
        en: 'The list of calls of {{ $labels.target }} is complete only up to {{ $value | humanizeDuration }} ago, or its first read has not finished within 30 minutes.',
        zh: '目标 {{ $labels.target }} 的完整水位落后 {{ $value | humanizeDuration }}，或首次读取 30 分钟仍未结束。',
      },
      title: { en: 'The list of calls is not read up to the present.', zh: '通话质检列表未读到最新。' },
      means: {
        en: |||
          The frontier is the upload time up to which the list is complete. For half an hour it has been more
          than 10 minutes (and more than two pull intervals) behind, or the first read of the whole lookback has
          not finished. The metrics do not yet contain all calls after the frontier.
        |||,
        zh: |||
          完整水位是一个上传时刻，该时刻之前的记录已读全。它落后 10 分钟以上（且超过两个同步间隔）已达半小时，
          或首次读取整个回溯窗口半小时仍未结束。水位之后的通话尚未全部计入指标。
        |||,
      },
      queries: [
        [{ en: 'Frontier lag', zh: '落后多少' }, 'target:cec_exporter_frontier_lag_seconds:min'],
        [{ en: 'Targets that are still loading', zh: '仍在首次加载的目标' }, 'cec_window_seconds unless on (target) cec_exporter_frontier_timestamp_seconds'],
        [{ en: 'How long pulls take', zh: '同步耗时' }, 'rate(cec_exporter_pull_duration_seconds_sum[15m]) / rate(cec_exporter_pull_duration_seconds_count[15m])'],
        [{ en: 'How long requests take', zh: '请求耗时' }, 'histogram_quantile(0.95, sum by (target, le) (rate(cec_exporter_api_request_duration_seconds_bucket{api="details"}[15m])))'],
      ],
      steps: {
        en: |||
          1. If the target is down as well, see [CecTargetDown](CecTargetDown.md) first.
          2. If pulls finish but take long, there is more to read than the limits allow. Raise `page_size`,
             `max_requests_per_second` or `max_concurrent_requests`, as far as the vendor allows.
          3. The first start of a very large contact centre may simply need more time; a shorter `lookback`
             needs less.
          4. If requests take long, the vendor is slow: smaller pages may help.
          5. Only scrapes start pulls: check the scrape interval.
        |||,
        zh: |||
          1. 目标同时不可用时，先看 [CecTargetDown](CecTargetDown.md)。
          2. 同步能结束但耗时长：待读数据超出限流。在云客服侧允许的范围内调大 `page_size`、
             `max_requests_per_second` 或 `max_concurrent_requests`。
          3. 大型联络中心首次启动可能只是需要更多时间；缩短 `lookback` 可加快。
          4. 请求耗时长：云客服侧响应慢，调小每页条数可能有帮助。
          5. 抓取间隔过长时不会触发同步：检查抓取间隔。
        |||,
      },
    },
    {
      name: 'CecReconcileBehind',
      severity: 'warning',
      hold: '30m',
      expr: 'target:cec_exporter_reconcile_lag_seconds:min ' + q.above('reconcile_lag_seconds'),
      summary: {
        en: 'The lookback of {{ $labels.target }} has not been reconciled.',
        zh: '目标 {{ $labels.target }} 长时间未完成全量核对。',
      },
      description: {
        en: 'The last full reconciliation of {{ $labels.target }} is {{ $value | humanizeDuration }} old. Late, deleted and re-inspected calls may not be up to date.',
        zh: '目标 {{ $labels.target }} 距上次全量核对已有 {{ $value | humanizeDuration }}。迟到、已删除、重新质检的通话可能尚未更正。',
      },
      title: { en: 'The last full reconciliation is too old.', zh: '长时间未完成全量核对。' },
      means: {
        en: |||
          The exporter reads new calls and, every `reconcile_interval` (1 hour by default), reconciles the whole
          lookback with the list. The last full reconciliation is more than 3 hours old. New calls are counted;
          late rows, deleted calls and manual states may be missing.
        |||,
        zh: |||
          除读取新通话外，exporter 每隔 `reconcile_interval`（默认 1 小时）将整个回溯窗口与通话质检列表核对一遍。
          上次核对完成已超过 3 小时。新通话照常计数，但迟到的记录、已删除的通话和人工质检状态可能有遗漏。
        |||,
      },
      queries: [
        [{ en: 'Time since the last reconciliation', zh: '距上次核对的时间' }, 'target:cec_exporter_reconcile_lag_seconds:min'],
        [{ en: 'Rate-limited requests', zh: '被限流的请求' }, 'target:cec_exporter_api_requests:rate_limited_ratio_rate15m'],
        [{ en: 'Calls remembered', zh: '台账条数' }, 'cec_exporter_ledger_calls'],
      ],
      steps: {
        en: |||
          1. If `reconcile_interval` is more than an hour on purpose, raise
             `cec:reconcile_lag_seconds:threshold` well above it.
          2. If requests are rate limited or slow, new calls take precedence over the reconciliation: see
             [CecRateLimited](CecRateLimited.md).
          3. A long lookback needs many requests: raise `page_size`, or `reconcile_interval`.
        |||,
        zh: |||
          1. 有意将 `reconcile_interval` 设为一小时以上时，相应调大 `cec:reconcile_lag_seconds:threshold`。
          2. 请求被限流或响应慢时，核对会让位于新通话：见 [CecRateLimited](CecRateLimited.md)。
          3. 回溯窗口长则请求多：调大 `page_size` 或 `reconcile_interval`。
        |||,
      },
    },
    {
      name: 'CecListUnproven',
      severity: 'warning',
      hold: '5m',
      expr: 'target_reason:cec_exporter_windows_unproven:increase1h ' + q.above('windows_unproven_per_hour'),
      summary: {
        en: 'Parts of the list of {{ $labels.target }} cannot be proved complete ({{ $labels.reason }}).',
        zh: '目标 {{ $labels.target }} 的部分列表无法确认完整（{{ $labels.reason }}）。',
      },
      description: {
        en: '{{ $value | humanize }} parts of the list of {{ $labels.target }} were accepted without proof or skipped in the last hour, because of {{ $labels.reason }}.',
        zh: '最近一小时，目标 {{ $labels.target }} 有 {{ $value | humanize }} 个列表区段因 {{ $labels.reason }} 未能核实完整或被跳过。',
      },
      title: { en: 'Parts of the list cannot be proved complete.', zh: '部分列表无法确认完整。' },
      means: {
        en: |||
          The list changes while it is read, so the exporter reads each part until two passes agree. A part that
          never agrees, or cannot be read, is accepted as it is or skipped, and retried later. This happened more
          than 10 times in an hour for one reason, so some calls may be missing.
        |||,
        zh: |||
          列表在读取过程中会变化，exporter 反复读取同一区段，直到两次结果一致。始终不一致或无法读取的区段，
          按现有结果采用或跳过，稍后再试。一小时内因同一原因发生 10 次以上，说明可能有通话遗漏。
        |||,
      },
      queries: [
        [{ en: 'Number by reason', zh: '数量与原因' }, 'target_reason:cec_exporter_windows_unproven:increase1h'],
        [{ en: 'Time since the last reconciliation', zh: '核对进度' }, 'target:cec_exporter_reconcile_lag_seconds:min'],
      ],
      steps: {
        en: |||
          1. The status page and the log show the time range. Look at it in the vendor's console.
          2. If it is always the same range, one of its records may be malformed: report it to the vendor.
          3. If the ranges vary, the vendor's total is unreliable or the list changes fast. Smaller pages, fewer
             concurrent requests and a longer `overlap` help.
        |||,
        zh: |||
          1. 状态页和日志给出了时间范围，在云客服控制台中核对该范围。
          2. 总是同一范围：其中可能有损坏的记录，向云客服侧反馈。
          3. 范围不固定：接口返回的总数不可靠，或列表变化快。调小 `page_size`、减少并发、加长 `overlap`。
        |||,
      },
    },
    {
      name: 'CecRecordsRejected',
      severity: 'warning',
      hold: '5m',
      expr: 'target_reason:cec_exporter_records_rejected:increase1h ' + q.above('records_rejected_per_hour'),
      summary: {
        en: 'Records of {{ $labels.target }} are rejected ({{ $labels.reason }}).',
        zh: '目标 {{ $labels.target }} 有记录被拒绝（{{ $labels.reason }}）。',
      },
      description: {
        en: '{{ $value | humanize }} records of {{ $labels.target }}, or values in them, were rejected in the last hour because of {{ $labels.reason }}.',
        zh: '最近一小时，目标 {{ $labels.target }} 有 {{ $value | humanize }} 条记录（或字段值）因 {{ $labels.reason }} 无法使用。',
      },
      title: { en: 'Records sent by the vendor are rejected.', zh: '云客服返回的记录无法使用。' },
      means: {
        en: |||
          More than 10 records, or values of records, were rejected in the last hour for one reason.
          `identity`, `upload_time` and `shape` (not an object) mean that the record could not be counted;
          `measure` means that only one of its values was ignored. Each record counts once, however often it is
          read.
        |||,
        zh: |||
          最近一小时因同一原因被拒绝的记录（或字段值）超过 10 个。`identity`、`upload_time`、`shape`（不是对象）
          表示整条记录无法计数；`measure` 表示仅忽略其中一个数值。同一条记录无论读到几次都只计一次。
        |||,
      },
      queries: [
        [{ en: 'Number by reason', zh: '数量与原因' }, 'sum by (target, reason) (increase(cec_exporter_records_rejected_total[1h]))'],
        [{ en: 'Since when', zh: '从何时开始' }, 'rate(cec_exporter_records_rejected_total[15m])'],
      ],
      steps: {
        en: |||
          1. Read the log at level debug, or request one page manually, and find the malformed records.
          2. If the vendor changed its response format, update the exporter. If that does not help, report the
             problem with such a record, without names and phone numbers.
          3. If only `measure` is rejected occasionally, the calls are still counted: raise
             `cec:records_rejected_per_hour:threshold`.
        |||,
        zh: |||
          1. 将日志级别设为 debug，或手动请求一页，找出异常记录。
          2. 若接口返回格式已变，先尝试升级 exporter；否则附上一条脱敏后的记录反馈。
          3. 只是偶尔出现 `measure` 时，通话仍会计数：调大 `cec:records_rejected_per_hour:threshold`。
        |||,
      },
    },
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
      title: { en: 'The access token is not renewed.', zh: 'Token 即将过期，且未续期。' },
      means: {
        en: |||
          The exporter renews its token one minute before it expires, or with a fifth of its lifetime left if
          that is less. For two minutes, less than 10 seconds were left at each scrape. Once it has expired, pulls
          fail. The alert ignores targets whose `min_pull_interval` is a minute or more: there, a token may
          expire between two pulls without harm.
        |||,
        zh: |||
          exporter 在 Token 到期前一分钟（或剩余五分之一有效期时，取较小者）续期。连续两分钟，每次抓取时剩余都不足
          10 秒。过期后同步将失败。`min_pull_interval` 在一分钟及以上的目标不参与判断：Token 在两次同步之间过期属正常。
        |||,
      },
      queries: [
        [{ en: 'Remaining lifetime as of each scrape', zh: '每次抓取时的剩余时间' }, 'cec_exporter_token_expiry_timestamp_seconds - timestamp(cec_exporter_token_expiry_timestamp_seconds)'],
        [{ en: 'Responses of the token endpoint', zh: '获取 Token 接口的返回' }, 'sum by (target, code) (increase(cec_exporter_api_requests_total{api="token"}[30m]))'],
      ],
      steps: {
        en: |||
          1. 429: another program requests tokens with the same key. Use a separate key for the exporter.
          2. 401 or 403: the key or secret was changed or blocked. Update the configuration and reload it.
          3. No requests, or `connect` and `timeout`: check `token_endpoint`. Some deployments serve it on
             another host or port.
        |||,
        zh: |||
          1. 429：有其他程序用同一 app_key 获取 Token，请为 exporter 单独申请。
          2. 401 或 403：密钥已变更或被停用，更新配置并重新加载。
          3. 没有请求，或为 `connect`、`timeout`：检查 `token_endpoint`，有的环境使用另外的域名或端口。
        |||,
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
          vendor requests and retries, so the metrics are late but correct. If it lasts, pulls fail.
        |||,
        zh: |||
          最近 15 分钟超过 5 % 的请求返回 429。exporter 按要求等待后重试，因此指标只是延迟而非错误，除非同步因此失败。
        |||,
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
          4. If other programs of the same account share the limit, divide it among them.
          5. If requests with `api="token"` are limited, see [CecTokenNotRenewed](CecTokenNotRenewed.md).
        |||,
        zh: |||
          1. 将该目标的 `max_requests_per_second` 调到云客服侧的流控值以内，并相应调小 `max_concurrent_requests`。
          2. 调大 `page_size`，用更少的请求读取同样多的通话。
          3. 调大抓取间隔或 `min_pull_interval`。
          4. 与同一账号的其他程序共用额度时，协商分配。
          5. 被限流的是 `api="token"`：见 [CecTokenNotRenewed](CecTokenNotRenewed.md)。
        |||,
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
          The two clocks have been more than a minute apart for half an hour. No call is missed up to a
          difference of `overlap` (10 minutes by default), but processing times and delays are wrong by the
          difference.
        |||,
        zh: |||
          两侧时钟相差一分钟以上已达半小时。相差不超过 `overlap`（默认 10 分钟）时不会漏计，但质检耗时和列表延迟会有同样的偏差。
        |||,
      },
      queries: [
        [{ en: 'The difference', zh: '时钟差' }, 'cec_exporter_clock_skew_seconds'],
      ],
      steps: {
        en: |||
          1. Check that NTP is synchronised on the exporter's host (`timedatectl`).
          2. If all targets show the same difference, the exporter's clock is wrong; otherwise the vendor's.
          3. Until it is corrected, keep `overlap` above the difference.
        |||,
        zh: |||
          1. 检查 exporter 所在主机的 NTP 是否正常同步（`timedatectl`）。
          2. 所有目标偏差相同，是 exporter 的时钟问题；仅个别目标有偏差，是云客服侧的问题。
          3. 更正之前，保持 `overlap` 大于时钟差。
        |||,
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
          exporter 记住回溯窗口内的每条通话，最多 `max_calls` 条（默认 5,000,000）。目前已使用 90 % 以上。
        |||,
      },
      queries: [
        [{ en: 'Calls remembered', zh: '台账条数' }, 'cec_exporter_ledger_calls'],
        [{ en: 'The limit', zh: '上限' }, 'cec_exporter_ledger_calls_limit'],
        [{ en: 'Memory of the process', zh: '进程内存' }, 'process_resident_memory_bytes{job="cec_exporter"}'],
      ],
      steps: {
        en: |||
          1. If memory permits, raise `max_calls`: a call takes well under 100 bytes.
          2. Otherwise shorten `lookback`, or split the target by `call_types`.
        |||,
        zh: |||
          1. 内存允许时调大 `max_calls`：每条通话占用远小于 100 字节。
          2. 或缩短 `lookback`，或按 `call_types` 拆分目标。
        |||,
      },
    },
  ]
