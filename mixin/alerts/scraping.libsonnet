// Whether the exporter runs and its targets can be read.
function(config)
  local q = (import '../lib/promql.libsonnet')(config);
  [
    {
      name: 'CecExporterDown',
      severity: 'critical',
      hold: '5m',
      // Whatever its job is called: what served cec_exporter_build_info within a day is an exporter.
      expr: |||
        up{job="%s"} == 0
          or
        up == 0 and on (job, instance) last_over_time(cec_exporter_build_info[1d])
          or
        absent(cec_up)
      ||| % config.job,
      summary: {
        en: 'The CEC exporter {{ with $labels.instance }}{{ . }} {{ end }}cannot be scraped.',
        zh: '无法抓取 CEC exporter{{ with $labels.instance }} {{ . }}{{ end }}。',
      },
      description: {
        en: '{{ with $labels.instance }}Prometheus has not been able to scrape {{ . }} for 5 minutes.{{ else }}Prometheus has no series cec_up, from a job of any name.{{ end }} The state of the calls is unknown meanwhile.',
        zh: '{{ with $labels.instance }}Prometheus 已连续 5 分钟抓取 {{ . }} 失败。{{ else }}Prometheus 中没有任何 cec_up 序列（与 job 名称无关）。{{ end }}此后的通话情况未知。',
      },
      title: { en: 'Prometheus cannot scrape the exporter.', zh: 'Prometheus 无法抓取 exporter。' },
      means: {
        en: |||
          `up` of an exporter has been 0 for 5 minutes, or there is no `cec_up` at all. No call is lost: with a ledger
          on disk, the exporter continues where it stopped and counts the calls it missed, up to its lookback.

          The rules do not depend on the name of the job: every instance that has served `cec_exporter_build_info`
          within a day counts as an exporter. Only an exporter that has never been scraped successfully needs a job
          named `cec_exporter`.
        |||,
        zh: |||
          某个 exporter 的 `up` 已连续 5 分钟为 0，或 Prometheus 中没有任何 `cec_up`。不会漏计：只要台账保存在磁盘上，exporter 恢复后会从中断处继续，补计回溯窗口内的通话。

          规则不依赖 job 名称：一天内提供过 `cec_exporter_build_info` 的抓取目标都视为 exporter。从未抓取成功过的 exporter，则靠 job 名 `cec_exporter` 识别。
        |||,
      },
      affects: {
        en: 'All targets of this exporter: their graphs end at the first failed scrape, and no other alert about their calls can fire. Calls whose processing ends meanwhile are missing from the processing time.',
        zh: '该 exporter 的全部目标都受影响：从第一次抓取失败起曲线中断，针对其通话的其他告警也不会触发。期间完成的通话不计入质检耗时。',
      },
      queries: [
        [{ en: 'Exporters that respond', zh: '哪些 exporter 有响应' }, 'up and on (job, instance) last_over_time(cec_exporter_build_info[1d])'],
        [{ en: 'Repeated restarts', zh: '是否反复重启' }, 'changes(process_start_time_seconds[1h]) and on (job, instance) last_over_time(cec_exporter_build_info[1d])'],
      ],
      steps: {
        en: |||
          1. Run `cec_exporter healthcheck` on the exporter's machine or in its container. If it succeeds, the exporter
             runs and Prometheus does not reach it: the Targets page of Prometheus shows the error. Check address,
             firewall, password and, with TLS, `scheme`. If it prints `answered 500`, the web configuration is
             bad: the log says `clients are refused`. With TLS it prints `answered 400` in either case: look
             for that line in the log.
          2. If it fails, read the log: `journalctl -u cec_exporter`, `docker logs cec_exporter` or
             `kubectl logs cec-exporter-0`. A configuration error is one line on stderr with exit code 1;
             `cec_exporter check` reports the same before a start.
          3. If scrapes time out, raise `scrape_timeout`, or `--web.timeout-offset`.
          4. If there is no `cec_up` at all, the job is missing from Prometheus's configuration, or scrapes
             another port or path.
        |||,
        zh: |||
          1. 在 exporter 所在主机（或容器）上运行 `cec_exporter healthcheck`。成功说明 exporter 正常，是 Prometheus 访问不到它：Prometheus 的 Targets 页面上有错误信息，检查地址、防火墙、密码；启用 TLS 时检查 `scheme`。如果输出 `answered 500`，说明 Web 配置有误，日志中会有 `clients are refused`；启用 TLS 时无论配置是否有误都输出 `answered 400`，请直接查看日志中是否有这一行。
          2. 失败则查看日志：`journalctl -u cec_exporter`、`docker logs cec_exporter` 或 `kubectl logs cec-exporter-0`。配置有误时，stderr 上有一行错误信息，退出码为 1；启动前可用 `cec_exporter check` 检查。
          3. 抓取超时：调大 `scrape_timeout` 或 `--web.timeout-offset`。
          4. 没有任何 `cec_up`：Prometheus 配置里缺少该 job，或端口、路径填错。
        |||,
      },
      resolves: {
        en: 'With the first successful scrape, or when the exporter is removed from Prometheus\'s configuration. Without any `cec_up`: as soon as there is one.',
        zh: '抓取恢复成功，或从 Prometheus 配置中移除该 exporter 后。若原因是没有任何 `cec_up`，出现后即恢复。',
      },
    },
    {
      name: 'CecTargetDown',
      severity: 'critical',
      hold: '2m',
      // A target is 0 also until its first pull ended, which at a cold start may take minutes.
      expr: |||
        target:cec_up:avg15m %s
          and
        %s > 0
      ||| % [q.below('target_up_ratio_down'), q.one('sum without (reason) (cec_exporter_pull_failures_total)')],
      summary: {
        en: 'Pulls of {{ $labels.target }} fail.',
        zh: '目标 {{ $labels.target }} 的同步失败。',
      },
      description: {
        en: 'In the last 15 minutes {{ $labels.target }} was up for only {{ $value | humanizePercentage }} of the time. Its metrics are those of the last pull that succeeded.',
        zh: '最近 15 分钟内，目标 {{ $labels.target }} 同步正常的时间仅占 {{ $value | humanizePercentage }}。各项指标停留在最近一次成功同步时的值。',
      },
      title: { en: 'Pulls of a target fail.', zh: '目标的同步失败。' },
      means: {
        en: |||
          Pulls of this target failed for more than half of the last 15 minutes, in every exporter that
          pulls it. A target that still reads its first lookback is loading, not down.
        |||,
        zh: |||
          最近 15 分钟内有一半以上的时间，该目标的同步处于失败状态，所有同步它的 exporter 都是如此。首次读取回溯窗口期间属于加载中，不算不可用。
        |||,
      },
      affects: {
        en: 'All calls of this target: new ones and changes of status are not seen. Counters stand still; the gauges of the lookback disappear after `stale_after` (10 minutes by default). Nothing is lost as long as the outage is shorter than the lookback.',
        zh: '该目标的全部通话都受影响：读不到新通话，也读不到状态变化。计数器停住不动，回溯窗口的 gauge 在 `stale_after`（默认 10 分钟）之后停止输出。只要中断短于回溯窗口，就不会漏计。',
      },
      queries: [
        [{ en: 'Why the pulls fail', zh: '同步失败的原因' }, 'sum by (target, reason) (increase(cec_exporter_pull_failures_total[15m])) > 0'],
        [{ en: 'Responses of the vendor', zh: '云客服侧返回的状态码' }, 'sum by (target, api, code) (increase(cec_exporter_api_requests_total[15m])) > 0'],
        [{ en: 'Seconds since the last success', zh: '距上次成功的秒数' }, 'time() - cec_exporter_last_success_timestamp_seconds'],
      ],
      steps: {
        en: |||
          1. Open the status page of the exporter (`/`): it shows the last error of the target and the likely cause.
             `cec_exporter check --config.file=...` on the same machine shows which step fails.
          2. By reason:
             - `auth`: check the key, the secret, the operator id and the allow list. A 403 with an HTML page
               most likely means that the exporter's address is not on the allow list.
             - `rate_limit`: see [CecRateLimited](CecRateLimited.md).
             - `connect`, `timeout`: check name resolution, proxy and firewall; or the vendor has an outage.
             - `server`: the vendor returns errors. The exporter retries by itself; if it lasts, open a ticket.
             - `body`, `envelope`: the vendor returns unexpected responses. The message on the status page has the
               vendor's code; check `user_id` and the rights of the key.
             - `storage`: the disk of the ledger is full, read-only or damaged, or `max_calls` is reached: raise it, or shorten `lookback`.
        |||,
        zh: |||
          1. 打开 exporter 状态页（`/`），查看该目标最近的错误及可能原因；在同一台机器上运行 `cec_exporter check --config.file=...`，可看出哪一步失败。
          2. 按原因处理：
             - `auth`：检查 app_key、app_secret、操作员标识和白名单。返回 403 且内容为 HTML 页面，多半是 exporter 的出口地址不在白名单内。
             - `rate_limit`：见 [CecRateLimited](CecRateLimited.md)。
             - `connect`、`timeout`：检查域名解析、代理、防火墙，或云客服侧故障。
             - `server`：云客服侧返回错误。exporter 会自动重试，长时间不恢复则提工单。
             - `body`、`envelope`：响应内容异常。状态页的错误信息中有接口返回码；检查 `user_id` 和应用的权限。
             - `storage`：台账所在磁盘已满、只读或损坏，或者达到了 `max_calls`：调大它，或缩短 `lookback`。
        |||,
      },
      resolves: {
        en: 'About 8 minutes after pulls succeed again: then the target was up for half of the last 15 minutes. `cec_up` is 1 at once.',
        zh: '同步恢复约 8 分钟后，即最近 15 分钟内有一半时间正常时。`cec_up` 会立即变为 1。',
      },
    },
    {
      name: 'CecTargetFlapping',
      severity: 'warning',
      hold: '15m',
      expr: |||
        target:cec_up:avg15m %s
          and
        %s > 0
      ||| % [q.below('target_up_ratio_flapping'), q.one('sum without (reason) (cec_exporter_pull_failures_total)')],
      summary: {
        en: 'Pulls of {{ $labels.target }} keep failing.',
        zh: '目标 {{ $labels.target }} 的同步时好时坏。',
      },
      description: {
        en: 'In the last 15 minutes {{ $labels.target }} was up for {{ $value | humanizePercentage }} of the time.',
        zh: '最近 15 分钟内，目标 {{ $labels.target }} 同步正常的时间占 {{ $value | humanizePercentage }}。',
      },
      title: { en: 'Pulls of a target keep failing.', zh: '目标的同步时好时坏。' },
      means: {
        en: |||
          For 15 minutes, the target has been up for less than 90 % of the preceding 15 minutes. Below 50 %,
          [CecTargetDown](CecTargetDown.md) fires too.
        |||,
        zh: |||
          15 分钟以来，最近 15 分钟内同步正常的时间占比始终低于 90%。低于 50% 时，[CecTargetDown](CecTargetDown.md) 也会触发。
        |||,
      },
      affects: {
        en: 'The calls of this target: all are counted, but some minutes late.',
        zh: '该目标的通话不会漏计，但会晚几分钟计入。',
      },
      queries: [
        [{ en: 'Share of time in which the target was up', zh: '同步正常的时间占比' }, 'target:cec_up:avg15m'],
        [{ en: 'Why pulls fail', zh: '同步失败的原因' }, 'sum by (target, reason) (increase(cec_exporter_pull_failures_total[1h])) > 0'],
        [{ en: 'Slow requests', zh: '请求耗时' }, q.quantile(0.95, 'cec_exporter_api_request_duration_seconds', '', '15m', ['target'])],
      ],
      steps: {
        en: |||
          1. `timeout`: requests take about as long as `request_timeout`. Lower `page_size`, or raise
             `request_timeout`.
          2. `rate_limit`: see [CecRateLimited](CecRateLimited.md).
          3. `connect`, `server`: look whether failures follow a pattern in time, such as a proxy or a node that
             restarts.
          4. Other reasons: see [CecTargetDown](CecTargetDown.md).
        |||,
        zh: |||
          1. `timeout`：请求耗时接近 `request_timeout`。调小 `page_size`，或调大 `request_timeout`。
          2. `rate_limit`：见 [CecRateLimited](CecRateLimited.md)。
          3. `connect`、`server`：看失败的时间有没有规律，例如代理或某个节点反复重启。
          4. 其他原因：见 [CecTargetDown](CecTargetDown.md)。
        |||,
      },
      resolves: {
        en: 'Once the target was up for 90 % of the last 15 minutes: at most 14 minutes after the last failed pull.',
        zh: '最近 15 分钟内同步正常的时间达到 90% 时，最迟在最后一次失败的 14 分钟后。',
      },
    },
    {
      name: 'CecTargetVanished',
      severity: 'warning',
      hold: '10m',
      expr: |||
        %s
          unless
        %s
      ||| % [q.one('last_over_time(cec_up[1h])'), q.one('cec_up')],
      summary: {
        en: '{{ $labels.target }} is no longer reported.',
        zh: '目标 {{ $labels.target }} 不再上报。',
      },
      description: {
        en: '{{ $labels.target }} was reported within the last hour (cec_up was {{ $value }}) and is now missing: a scrape fails, or the target was removed from the configuration.',
        zh: '目标 {{ $labels.target }} 在最近一小时内上报过（cec_up 为 {{ $value }}），现已不再上报：抓取失败，或该目标已从配置中移除。',
      },
      title: { en: 'A target is no longer reported.', zh: '目标不再上报。' },
      means: {
        en: |||
          `cec_up` of the target existed within the last hour and has been missing for 10 minutes. Its scrape
          fails (with a `/probe` job, the probe of this target), or the target is no longer in the configuration.
        |||,
        zh: |||
          最近一小时内有该目标的 `cec_up`，但已缺失 10 分钟：可能是抓取失败（使用 `/probe` 的 job 时，即该目标的探测失败），也可能是该目标已不在配置中。
        |||,
      },
      affects: {
        en: 'This target: it has no metrics at present, so no other alert watches its calls.',
        zh: '该目标目前没有任何指标，因此针对其通话的其他告警也不会触发。',
      },
      queries: [
        [{ en: 'Failing scrapes', zh: '失败的抓取' }, 'up == 0'],
        [{ en: 'Reported targets', zh: '正在上报的目标' }, 'count by (job, instance, target) (cec_up)'],
      ],
      steps: {
        en: |||
          1. If a scrape fails, see [CecExporterDown](CecExporterDown.md). A `/probe` of a target
             that is not configured returns 404.
          2. If the target was removed or renamed on purpose, silence the alert for an hour.
          3. With shards, the target may have moved to a shard that is not scraped: see
             [CecShardMissing](CecShardMissing.md).
        |||,
        zh: |||
          1. 抓取失败：见 [CecExporterDown](CecExporterDown.md)。`/probe` 的目标名不在配置中时返回 404。
          2. 有意移除或改名：将该告警静默一小时即可。
          3. 使用分片时，该目标可能移到了未被抓取的分片：见 [CecShardMissing](CecShardMissing.md)。
        |||,
      },
      resolves: {
        en: 'When the target is reported again; otherwise one hour after its last `cec_up`.',
        zh: '重新上报后恢复；否则在最后一次 `cec_up` 的一小时后自动恢复。',
      },
    },
  ]
