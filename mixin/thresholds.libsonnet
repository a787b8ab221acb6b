// The meaning of each threshold, in the order of the file. They become comments, because people edit that file.
[
  ['frontier_lag_seconds', {
    en: 'Seconds that the frontier may lag.',
    zh: '完整水位允许落后的秒数。',
  }],
  ['reconcile_lag_seconds', {
    en: 'Seconds since the last full reconciliation. Keep it well above reconcile_interval.',
    zh: '距上次全量核对的秒数。应明显大于 reconcile_interval。',
  }],
  ['target_up_ratio_down', {
    en: 'A target is down if it was up for less than this share of the last 15 minutes.',
    zh: '最近 15 分钟内，同步正常的时间占比低于此值，即视为目标不可用。',
  }],
  ['target_up_ratio_flapping', {
    en: 'A target flaps if it was up for less than this share of the last 15 minutes.',
    zh: '最近 15 分钟内，同步正常的时间占比低于此值，即视为目标时好时坏。',
  }],
  ['token_left_seconds', {
    en: 'Seconds that the token must still be valid at each scrape.',
    zh: '每次抓取时 Token 至少应剩余的秒数。',
  }],
  ['token_renewal_seconds', {
    en: 'The exporter renews a token with this many seconds left. If pulls are further apart, a token may expire between two pulls.',
    zh: 'exporter 在 Token 剩余此秒数时续期。同步间隔更长时，Token 在两次同步之间过期属正常。',
  }],
  ['rate_limited_ratio', {
    en: 'Share of requests that returned 429.',
    zh: '返回 429 的请求占比。',
  }],
  ['records_rejected_per_hour', {
    en: 'Rejected records, or values of records, an hour, by reason.',
    zh: '每小时无法使用的记录（或字段值）数，按原因统计。',
  }],
  ['windows_unproven_per_hour', {
    en: 'Parts of the list an hour that were accepted without proof or skipped, by reason.',
    zh: '每小时无法确认完整或被跳过的列表窗口数，按原因统计。',
  }],
  ['clock_skew_seconds', {
    en: "Seconds between the vendor's clock and the exporter's, in either direction.",
    zh: '云客服侧与 exporter 时钟之差（秒），不分快慢。',
  }],
  ['ledger_used_ratio', {
    en: 'Share of max_calls that the ledger may hold.',
    zh: '台账条数占 max_calls 的比例。',
  }],
  ['exporters_per_target', {
    en: 'Exporters that may pull one target. Each sends its own requests to the vendor.',
    zh: '允许同步同一目标的 exporter 个数。每多一个，请求量就多一份。',
  }],
  ['processing_objective', {
    en: 'Share of calls that must be processed in time: the objective behind the burn rates.',
    zh: '应按时完成质检的通话占比，即燃烧率告警所依据的目标（SLO）。',
  }],
  ['pending_age_seconds', {
    en: 'Age of the oldest call of a stage that is stuck. It has to be less than the lookback.',
    zh: '阶段卡住时最早一条通话的等待时长（秒）。须小于回溯窗口。',
  }],
  ['pending_calls', {
    en: 'Calls of a stage beyond those of the last hour and the usual stragglers.',
    zh: '某阶段中超出最近一小时来量及正常滞留量的通话数。',
  }],
  ['missing_ratio', {
    en: 'Share of the calls in the lookback that the list no longer has.',
    zh: '回溯窗口内已从通话质检列表消失的通话占比。',
  }],
  ['missing_calls', {
    en: 'Calls in the lookback that the list no longer has.',
    zh: '回溯窗口内已从通话质检列表消失的通话数。',
  }],
  ['expired_calls_per_hour', {
    en: 'Calls an hour that leave the lookback without a final status.',
    zh: '每小时未达终态就移出回溯窗口的通话数。',
  }],
  ['finished_calls_per_hour', {
    en: 'Finished calls below which ratios are not judged: at night, one failure of two means nothing. Of an hour; for CecProcessingSlow, of its whole long window.',
    zh: '一小时内完成的通话达到此数才判断占比：夜间两条里失败一条不说明问题。CecProcessingSlow 则按其整个长窗口计数。',
  }],
  ['failed_calls_per_hour', {
    en: 'Calls an hour that fail, of those that a ratio counts, below which it is not judged.',
    zh: '每小时失败的通话达到此数才判断其占比。',
  }],
  ['failed_ratio', {
    en: 'Share of finished calls that failed, whatever the cause.',
    zh: '处理失败（不论原因）占已完成通话的比例。',
  }],
  ['quota_failed_ratio', {
    en: 'Share of finished calls that ended in status 9.',
    zh: '以状态 9 结束的通话占比。',
  }],
  ['asr_failed_ratio', {
    en: 'Share of finished calls that ended in one kind of transcription failure.',
    zh: '因某一种 ASR 转写失败而结束的通话占比。',
  }],
  ['dried_up_ratio', {
    en: 'Calls of the last hour as a share of the usual number at this hour.',
    zh: '最近一小时通话量与往常同一时段之比。',
  }],
  ['dried_up_calls_per_hour', {
    en: 'Usual calls at this hour below which the hour is not judged.',
    zh: '往常同一时段的通话量达到此数才判断。',
  }],
  ['fast_speech_ratio', {
    en: 'Share of calls in which a speaker is fast.',
    zh: '语速过快的通话占比。',
  }],
  ['silence_ratio', {
    en: 'Share of the call time in which nobody speaks.',
    zh: '双方均未说话的时间占通话总时长的比例。',
  }],
  ['results_per_day', {
    en: 'Inspection results a day, of a scenario or a rule, below which scores and violations are not judged.',
    zh: '业务场景或规则每天的质检结果达到此数，才判断得分和违规。',
  }],
  ['score_drop_points', {
    en: 'Points by which the mean score of a day may be below that of the week before.',
    zh: '一天的平均得分允许比此前一周低多少分。',
  }],
  ['rule_violated_factor', {
    en: 'How many times its share of the week before the share of calls that violate a rule may be.',
    zh: '一条规则的违规率允许达到此前一周的多少倍。',
  }],
  ['rule_violations_per_day', {
    en: 'Calls a day that violate a rule, below which its share is not judged.',
    zh: '一条规则每天的违规通话达到此数，才判断其违规率。',
  }],
  ['results_age_ratio', {
    en: 'Age of the oldest call that waits for its inspection result, as a share of the lookback. At 1 it is given up.',
    zh: '等待质检结果最久的通话，其时长占回溯窗口的比例。达到 1 时放弃。',
  }],
  ['results_backlog_calls', {
    en: 'Calls that wait for their inspection result for that long, or were given up in an hour.',
    zh: '等待质检结果过久的通话数，或一小时内放弃的通话数。',
  }],
]
