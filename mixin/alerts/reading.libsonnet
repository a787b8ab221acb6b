// Whether what is read is complete, in time and usable.
function(config)
  local q = (import '../lib/promql.libsonnet')(config);
  local label = import '../text/label.libsonnet';
  local pulls = 'cec_exporter_pull_duration_seconds';
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
          not finished.
        |||,
        zh: |||
          完整水位是一个上传时刻，该时刻之前的记录已全部读到。半小时以来，它一直落后 10 分钟以上（且超过两个同步间隔），或首次读取整个回溯窗口仍未结束。
        |||,
      },
      affects: {
        en: 'The calls of this target that were uploaded after the frontier: they are missing from all numbers until they are read. Nothing is lost unless they leave the lookback first.',
        zh: '该目标在水位之后上传的通话，在读到之前不计入任何指标。只要没有先移出回溯窗口，就不会漏计。',
      },
      queries: [
        [{ en: 'Frontier lag, in seconds', zh: '水位落后的秒数' }, 'target:cec_exporter_frontier_lag_seconds:min'],
        [{ en: 'Targets that are still loading', zh: '仍在首次加载的目标' }, '%s unless %s' % [q.one('cec_window_seconds'), q.one('cec_exporter_frontier_timestamp_seconds')]],
        [{ en: 'How long pulls take', zh: '同步耗时' }, q.ratio('(%s)' % q.sum(pulls, '', '15m'), '(%s)' % q.count(pulls, '', '15m'))],
        [{ en: 'How long requests take', zh: '请求耗时' }, q.quantile(0.95, 'cec_exporter_api_request_duration_seconds', 'api="details"', '15m', ['target'])],
      ],
      steps: {
        en: |||
          1. If the target is down as well, see [CecTargetDown](CecTargetDown.md) first.
          2. If pulls finish but take long, there is more to read than the limits allow. Raise `page_size`,
             `max_requests_per_second` or `max_concurrent_requests`, as far as the vendor allows.
          3. At the first start of a very large contact centre, and after an outage, it may just need more time: the
             status page shows how far it is, and the log line `reading a gap in the call list` the expected number
             of requests. A shorter `lookback` needs less.
          4. If requests take long, the vendor is slow: smaller pages may help.
          5. Only scrapes start pulls: check the scrape interval.
        |||,
        zh: |||
          1. 目标同时不可用时，先看 [CecTargetDown](CecTargetDown.md)。
          2. 同步能结束但耗时长：要读的数据超出了请求限额。在云客服侧允许的范围内调大 `page_size`、`max_requests_per_second` 或 `max_concurrent_requests`。
          3. 大型联络中心首次启动时，或中断恢复之后，可能只是还没有读完：状态页显示进度，日志 `reading a gap in the call list` 给出预计的请求数。缩短 `lookback` 可加快。
          4. 请求耗时长：云客服侧响应慢，调小 `page_size` 可能有帮助。
          5. 只有抓取才会触发同步：检查抓取间隔是否过长。
        |||,
      },
      resolves: {
        en: 'Once the list has been read up to 10 minutes ago.',
        zh: '水位落后降到 10 分钟以内后恢复。',
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
        zh: '目标 {{ $labels.target }} 距上次全量核对已有 {{ $value | humanizeDuration }}。晚到、已删除、重新质检的通话可能尚未更新。',
      },
      title: { en: 'The last full reconciliation is too old.', zh: '长时间未完成全量核对。' },
      means: {
        en: |||
          The exporter reads new calls and, every `reconcile_interval` (1 hour by default), reconciles the whole
          lookback with the list. The last full reconciliation is more than 3 hours old.
        |||,
        zh: |||
          除读取新通话外，exporter 每隔 `reconcile_interval`（默认 1 小时）将整个回溯窗口与通话质检列表核对一遍。距最近一次完成的全量核对已超过 3 小时。
        |||,
      },
      affects: {
        en: 'Calls of this target that were deleted, inspected again or reviewed by hand, or that appeared in the list later than `overlap`: they are not up to date, or not counted yet. Other calls are unaffected.',
        zh: '该目标中被删除、重新质检、人工复核过的通话，以及晚于 `overlap` 才出现在列表中的通话，状态可能未更新，或尚未计数。其余通话不受影响。',
      },
      queries: [
        [{ en: 'Seconds since the last reconciliation', zh: '距上次全量核对的秒数' }, 'target:cec_exporter_reconcile_lag_seconds:min'],
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
          2. 请求被限流或响应慢时，会优先读取新通话，核对因此推迟：见 [CecRateLimited](CecRateLimited.md)。
          3. 回溯窗口越长，请求越多：调大 `page_size` 或 `reconcile_interval`。
        |||,
      },
      resolves: {
        en: 'When the next full reconciliation has finished.',
        zh: '下一次全量核对完成后。',
      },
    },
    {
      name: 'CecListUnproven',
      severity: 'warning',
      hold: '5m',
      expr: 'target_reason:cec_exporter_windows_unproven:increase1h ' + q.above('windows_unproven_per_hour'),
      summary: {
        en: 'Parts of the list of {{ $labels.target }} cannot be proved complete ({{ $labels.reason }}).',
        zh: '目标 {{ $labels.target }} 的部分列表无法确认完整：' + label.unproven + '。',
      },
      description: {
        en: '{{ $value | humanize }} parts of the list of {{ $labels.target }} were accepted without proof or skipped in the last hour, because of {{ $labels.reason }}.',
        zh: '最近一小时，目标 {{ $labels.target }} 有 {{ $value | humanize }} 个列表窗口无法确认完整或被跳过，原因：' + label.unproven + '。',
      },
      title: { en: 'Parts of the list cannot be proved complete.', zh: '部分列表无法确认完整。' },
      means: {
        en: |||
          The list changes while it is read. A part of it is proved complete if it came on a single page, if nothing
          moved while its pages were read, or if two readings agree. More than 10 parts in an hour were accepted
          without that proof, or skipped, for the reason in the alert.
        |||,
        zh: |||
          列表在读取过程中会变化。一个窗口（一段上传时间）只有一页、翻页期间没有变动，或两次读取结果一致，才能确认完整。一小时内有 10 个以上的窗口因告警中的原因无法确认，按现有结果采用，或被跳过。
        |||,
      },
      affects: {
        en: |||
          - `total`: no calls. All rows count, although the vendor's total differs.
          - `changing`: the calls of the second that keeps changing. Some may be missing until the next reconciliation.
          - `unreadable`: the calls in the skipped part. They count as soon as it can be read.
        |||,
        zh: |||
          - `total`：不影响通话。接口给出的总数与行数不符，但全部记录都已计入。
          - `changing`：上传时间在该窗口内的个别通话，可能要到下一次全量核对才计入。
          - `unreadable`：被跳过的窗口内的通话暂不计入，读出后即计入。
        |||,
      },
      queries: [
        [{ en: 'Number by reason', zh: '数量与原因' }, 'target_reason:cec_exporter_windows_unproven:increase1h'],
        [{ en: 'Seconds since the last reconciliation', zh: '距上次全量核对的秒数' }, 'target:cec_exporter_reconcile_lag_seconds:min'],
      ],
      steps: {
        en: |||
          1. Find the time range: the status page shows skipped parts under "Not readable", and the log has a warning
             `a part of the list could not be proved complete` with `from`, `to` and `reason`.
          2. `unreadable`: look at that range in the vendor's console. If it is always the same, one of its records may
             be malformed: report it to the vendor. The exporter retries it, at least once an hour.
          3. `changing`: raise `page_size`, because a part that fits on one page needs no second reading.
          4. `total`: report the difference to the vendor. If it stays, raise `cec:windows_unproven_per_hour:threshold`.
        |||,
        zh: |||
          1. 确定时间范围：被跳过的窗口在状态页的 “Not readable” 处；日志中有警告 `a part of the list could not be proved complete`，带有 `from`、`to` 和 `reason`。
          2. `unreadable`：在云客服控制台查看该时间范围。总是同一范围时，其中可能有损坏的记录，向云客服侧反馈。exporter 会自动重试，最长间隔一小时。
          3. `changing`：调大 `page_size`，因为一页放得下的窗口无需再读一遍。
          4. `total`：向云客服侧反馈总数不符。长期如此时，调大 `cec:windows_unproven_per_hour:threshold`。
        |||,
      },
      resolves: {
        en: 'Once there were at most 10 such parts in the last hour.',
        zh: '最近一小时内这样的窗口不超过 10 个后恢复。',
      },
    },
    {
      name: 'CecRecordsRejected',
      severity: 'warning',
      hold: '5m',
      expr: 'target_reason:cec_exporter_records_rejected:increase1h ' + q.above('records_rejected_per_hour'),
      summary: {
        en: 'Records of {{ $labels.target }} are rejected ({{ $labels.reason }}).',
        zh: '目标 {{ $labels.target }} 有通话记录无法使用：' + label.rejected + '。',
      },
      description: {
        en: '{{ $value | humanize }} records of {{ $labels.target }}, or values in them, were rejected in the last hour because of {{ $labels.reason }}.',
        zh: '最近一小时，目标 {{ $labels.target }} 有 {{ $value | humanize }} 条记录（或字段值）无法使用，原因：' + label.rejected + '。',
      },
      title: { en: 'Records sent by the vendor are rejected.', zh: '部分通话记录无法使用。' },
      means: {
        en: |||
          More than 10 records, or values of records, were rejected in the last hour for the reason in the alert. Each
          counts once, however often it is read.
        |||,
        zh: |||
          最近一小时，因告警中的原因无法使用的记录（或字段值）超过 10 个。每个只计一次，无论读到几次。
        |||,
      },
      affects: {
        en: |||
          - `identity`, `upload_time`, `shape` (not an object): the calls in these records. They are not counted.
          - `measure`: one value of a call, or a part of an inspection result. The call is counted.
        |||,
        zh: |||
          - `identity`、`upload_time`、`shape`（不是对象）：这些记录对应的通话不计数。
          - `measure`：通话照常计数，只是缺少某个数值，或质检结果缺少一部分。
        |||,
      },
      queries: [
        [{ en: 'Number by reason', zh: '数量与原因' }, 'sum by (target, reason) (increase(cec_exporter_records_rejected_total[1h]))'],
        [{ en: 'Since when', zh: '从何时开始' }, 'rate(cec_exporter_records_rejected_total[15m])'],
      ],
      steps: {
        en: |||
          1. Run `cec_exporter check --config.file=...`: its warning says how many records of the first page cannot be
             used and why, with names and types of the fields. With `--log.level=debug` the exporter logs the reason of
             each record.
          2. `upload_time`: compare the clocks, see [CecClockSkew](CecClockSkew.md). A call that is uploaded "in the
             future" is counted once that time has come. One that was uploaded more than an hour before the lookback
             was not requested: the vendor ignores the window, or its times have another unit.
          3. If the vendor changed its response format, update the exporter. If that does not help, report the
             problem with such a record, without names and phone numbers.
          4. If only `measure` is rejected occasionally, raise `cec:records_rejected_per_hour:threshold`.
        |||,
        zh: |||
          1. 运行 `cec_exporter check --config.file=...`：警告中说明第一页有多少条记录无法使用及原因，并列出字段名和类型。以 `--log.level=debug` 启动时，日志会逐条记录原因。
          2. `upload_time`：核对两侧时钟，见 [CecClockSkew](CecClockSkew.md)。上传时间在“将来”的通话，到那一时刻后才计数。早于回溯窗口一小时以上的通话并未请求：接口没有按窗口返回，或时间单位不同。
          3. 接口返回格式有变：先升级 exporter；仍无法使用时，附上一条脱敏后的记录反馈。
          4. 只是偶尔出现 `measure`：调大 `cec:records_rejected_per_hour:threshold`。
        |||,
      },
      resolves: {
        en: 'Once there were at most 10 in the last hour.',
        zh: '最近一小时内不超过 10 个后恢复。',
      },
    },
  ]
