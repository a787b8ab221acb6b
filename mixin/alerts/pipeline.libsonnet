// Whether calls get through transcription and inspection, in time.
function(config)
  local q = (import '../lib/promql.libsonnet')(config);
  local minutes = config.processingLimit / 60;
  // A burn of 14.4 uses 2 % of a month's budget in an hour, as in the SRE workbook.
  local burn(long, short, factor, severity, hold) =
    local over(w) =
      |||
        target:cec_calls_processing:late_increase%(w)s
          / (target:cec_calls_processing:increase%(w)s > 0)
          > on () group_left () (%(f)s * (1 - max(cec:processing_objective:threshold)))
      ||| % { w: w, f: factor };
    {
      severity: severity,
      hold: hold,
      labels: { long_window: long, short_window: short },
      expr: |||
        %s
          and
        %s
          and
        target:cec_calls_processing:increase%s %s
      ||| % ['(\n' + over(long) + ')', '(\n' + over(short) + ')', long, q.atLeast('finished_calls_per_hour')],
    };
  // The labels of a rule are not there in its own texts.
  local slow(words) = {
    name: 'CecProcessingSlow',
    summary: {
      en: 'Calls of {{ $labels.target }} are not processed in time.',
      zh: '目标 {{ $labels.target }} 的通话未能按时完成质检。',
    },
    description: {
      en: '{{ $value | humanizePercentage }} of the calls of {{ $labels.target }} in the last %s took longer than %d minutes or are not finished yet.' % [words.en, minutes],
      zh: '最近 %s，目标 {{ $labels.target }} 有 {{ $value | humanizePercentage }} 的通话质检耗时超过 %d 分钟或尚未完成。' % [words.zh, minutes],
    },
    title: { en: 'Calls are not processed in time.', zh: '通话未能按时完成质检。' },
    means: {
      en: |||
        The objective: 95 %% of the calls are processed, whatever the result, within %d minutes of their upload.
        The other 5 %% are the error budget. The alert checks how fast it burns, over a long and a short window:
        14.4 times too fast for an hour or 6 times for six hours (critical), 3 times for a day or exactly at its
        rate for three days (warning).

        A call is late if it took longer, if it left the lookback unfinished, or if it is still pending beyond
        the calls of the last hour and the stragglers that the objective allows. Calls whose end the exporter
        did not see, because the vendor or the exporter was down, do not count.
      ||| % minutes,
      zh: |||
        目标（SLO）：95 %% 的通话在上传后 %d 分钟内完成质检（不论结果）。告警同时在长、短两个窗口上比较其余 5 %%
        （错误预算）的消耗速度：一小时内为 14.4 倍、六小时内为 6 倍（critical），一天内为 3 倍、三天内为 1 倍（warning）。

        超时通话包括：耗时超限的；未达终态就移出回溯窗口的；超出最近一小时来量和正常滞留量、仍在等待的。
        因云客服侧或 exporter 故障而未观察到完成时刻的通话不计入。
      ||| % minutes,
    },
    queries: [
      [{ en: 'Late calls as a share', zh: '超时通话占比' }, 'target:cec_calls_processing:late_increase1h / target:cec_calls_processing:increase1h'],
      [{ en: 'Pending calls by stage', zh: '各阶段积压' }, 'target_call_type_status:cec_window_calls_pending:max'],
      [{ en: 'Overdue calls by stage', zh: '各阶段超期通话' }, 'target_call_type_status:cec_calls_overdue:min'],
      [{ en: 'Processing time', zh: '质检耗时 P90' }, 'histogram_quantile(0.9, sum by (target, le) (rate(cec_call_processing_seconds_bucket[1h])))'],
    ],
    steps: {
      en: |||
        1. If the calls wait in one stage, see [CecPipelineStuck](CecPipelineStuck.md).
        2. If all stages are slow, compare with the number of calls: a busy day, or a batch of recordings
           uploaded late, resolves by itself.
        3. Otherwise contact the vendor, with examples from the list of inspected calls.
        4. If you agreed on another limit or objective, change `cec:processing_objective:threshold`, or
           `processingLimit` in the mixin.
      |||,
      zh: |||
        1. 通话集中滞留在某一阶段：见 [CecPipelineStuck](CecPipelineStuck.md)。
        2. 各阶段都慢：对照来量。业务高峰或录音集中补传时会自行恢复。
        3. 否则从通话质检列表中取几条样例，联系云客服侧。
        4. 约定的时限或目标不同时，修改 `cec:processing_objective:threshold` 或 mixin 中的 `processingLimit`。
      |||,
    },
  };
  [
    {
      name: 'CecPipelineStuck',
      severity: 'critical',
      hold: '10m',
      expr: |||
        target_call_type_status:cec_calls_overdue:min %s
          and
        target_call_type_status:cec_oldest_pending_call_age_seconds:max %s
      ||| % [q.atLeast('pending_calls'), q.above('pending_age_seconds')],
      summary: {
        en: 'Calls of {{ $labels.target }} are stuck in {{ $labels.status }}.',
        zh: '目标 {{ $labels.target }} 的通话卡在 {{ $labels.status }} 阶段。',
      },
      description: {
        en: 'At least {{ $value | humanize }} {{ $labels.call_type }} calls of {{ $labels.target }} in status {{ $labels.status }} are overdue: they exceed the calls of the last hour and the usual stragglers.',
        zh: '目标 {{ $labels.target }} 至少有 {{ $value | humanize }} 条 {{ $labels.call_type }} 通话滞留在 {{ $labels.status }}：积压超过最近一小时的来量与正常滞留量之和。',
      },
      title: { en: 'Calls are stuck in a stage of the pipeline.', zh: '通话卡在某一质检阶段。' },
      means: {
        en: |||
          One stage has more pending calls than arrived in the last hour plus 5 % of a day's calls, the usual
          stragglers, and the oldest has waited for more than an hour. Ages are as of the frontier, so time in
          which the vendor was not reachable does not count. The alert does not depend on the lookback.
        |||,
        zh: |||
          某一阶段的积压超过最近一小时的来量，再加一天来量的 5 %（正常滞留量），且最早的一条已等待一小时以上。
          等待时长以完整水位为准，因此云客服侧不可访问的时间不计入。判断与回溯窗口长短无关。
        |||,
      },
      queries: [
        [{ en: 'Overdue calls by stage', zh: '各阶段超期通话' }, 'target_call_type_status:cec_calls_overdue:min'],
        [{ en: 'Age of the oldest call by stage', zh: '各阶段最早一条的等待时长' }, 'target_call_type_status:cec_oldest_pending_call_age_seconds:max'],
        [{ en: 'Finished calls by status', zh: '各状态的完成速度' }, 'sum by (target, status) (rate(cec_calls_processed_total[15m]))'],
      ],
      steps: {
        en: |||
          1. Identify the stage: `waiting` means that inspection does not start (quota, or the vendor's queue),
             `transcribing` that the transcription does not return, `inspecting` that the rules are not evaluated.
          2. In the vendor's console, check the state of quality inspection, quotas and contracts.
          3. Contact the vendor, with the upload time of the oldest call
             (`cec_oldest_pending_call_timestamp_seconds`).
          4. Calls that leave the lookback unfinished are counted in `cec_calls_expired_total`. Even if
             the cause is fixed later, they will not count as finished.
        |||,
        zh: |||
          1. 判断阶段：`waiting`（等待质检）说明质检未开始（额度或云客服侧排队）；`transcribing`（ASR 转写中）说明转写
             没有返回；`inspecting`（质检处理中）说明规则未执行完。
          2. 在云客服控制台查看智能质检的状态、每日上限和合同。
          3. 联系云客服侧，提供最早一条通话的上传时间（`cec_oldest_pending_call_timestamp_seconds`）。
          4. 未达终态就移出回溯窗口的通话计入 `cec_calls_expired_total`；即使之后恢复，也不会再计为完成。
        |||,
      },
    },
    slow({ en: 'hour', zh: '1 小时' }) + burn('1h', '5m', '14.4', 'critical', '2m'),
    slow({ en: '6 hours', zh: '6 小时' }) + burn('6h', '30m', '6', 'critical', '15m'),
    slow({ en: 'day', zh: '1 天' }) + burn('1d', '2h', '3', 'warning', '1h'),
    slow({ en: '3 days', zh: '3 天' }) + burn('3d', '6h', '1', 'warning', '3h'),
    {
      name: 'CecStatusUnknown',
      severity: 'warning',
      hold: '10m',
      expr: 'target_call_type_status:cec_oldest_pending_call_age_seconds:max{status=~"unknown_.*"} ' + q.above('pending_age_seconds'),
      summary: {
        en: 'Calls of {{ $labels.target }} stay in an unknown status ({{ $labels.status }}).',
        zh: '目标 {{ $labels.target }} 的通话停留在未知状态（{{ $labels.status }}）。',
      },
      description: {
        en: 'The oldest {{ $labels.call_type }} call of {{ $labels.target }} in status {{ $labels.status }} was uploaded {{ $value | humanizeDuration }} ago. The exporter does not know whether this status is final.',
        zh: '目标 {{ $labels.target }} 处于 {{ $labels.status }} 的 {{ $labels.call_type }} 通话中，最早一条上传于 {{ $value | humanizeDuration }} 前。exporter 无法判断该状态是否为终态。',
      },
      title: { en: 'Calls stay in an unknown status.', zh: '通话停留在未知状态。' },
      means: {
        en: |||
          The vendor uses a status code that this version of the exporter does not know. Such calls count as
          unfinished and leave the lookback as expired.
        |||,
        zh: |||
          云客服返回了当前版本 exporter 不认识的状态码。这类通话按未完成处理，移出回溯窗口时计为过期。
        |||,
      },
      queries: [
        [{ en: 'Number', zh: '数量' }, 'target_call_type_status:cec_window_calls_pending:max{status=~"unknown_.*"}'],
        [{ en: 'Calls that left the lookback in this status', zh: '以此状态移出回溯窗口的通话' }, 'sum by (target, status) (increase(cec_calls_expired_total{status=~"unknown_.*"}[1d]))'],
      ],
      steps: {
        en: |||
          1. Look up the code in the vendor's documentation, or open such a call in the console.
          2. Update the exporter, or report the code. If the status comes from `extra_status_codes` and you do
             not need it, remove it there.
        |||,
        zh: |||
          1. 在云客服的接口文档中查找该状态码，或在控制台中查看此类通话。
          2. 升级 exporter 或反馈该状态码。若来自 `extra_status_codes` 且没有用处，可将其移除。
        |||,
      },
    },
    {
      name: 'CecCallsExpired',
      severity: 'warning',
      hold: '10m',
      expr: 'target_call_type:cec_calls_expired:increase1h ' + q.above('expired_calls_per_hour'),
      summary: {
        en: 'Calls of {{ $labels.target }} leave the lookback unfinished.',
        zh: '目标 {{ $labels.target }} 有通话未完成质检就移出回溯窗口。',
      },
      description: {
        en: '{{ $value | humanize }} {{ $labels.call_type }} calls of {{ $labels.target }} left the lookback in the last hour without a final status.',
        zh: '最近一小时，目标 {{ $labels.target }} 有 {{ $value | humanize }} 条 {{ $labels.call_type }} 通话未达终态就移出回溯窗口。',
      },
      title: { en: 'Calls leave the lookback unfinished.', zh: '通话未完成质检就移出回溯窗口。' },
      means: {
        en: |||
          The exporter remembers calls for the lookback. More than 10 in an hour left it without a final status:
          they were never inspected, or only after the lookback. They will never count as finished.
        |||,
        zh: |||
          通话只在回溯窗口内被记住。一小时内有 10 条以上未达终态就移出：从未质检，或质检耗时超过回溯窗口。
          此后不会再计为完成。
        |||,
      },
      queries: [
        [{ en: 'By status last seen', zh: '按最后状态统计' }, 'sum by (target, call_type, status) (increase(cec_calls_expired_total[1h])) > 0'],
        [{ en: 'Pending calls', zh: '当前积压' }, 'target_call_type_status:cec_window_calls_pending:max'],
      ],
      steps: {
        en: |||
          1. If a stage is stuck, see [CecPipelineStuck](CecPipelineStuck.md).
          2. If inspection is just slow, raise `lookback`, so that the exporter still sees the end.
        |||,
        zh: |||
          1. 某一阶段卡住：见 [CecPipelineStuck](CecPipelineStuck.md)。
          2. 只是质检慢：加长 `lookback`，以便观察到完成时刻。
        |||,
      },
    },
    {
      name: 'CecCallsMissing',
      severity: 'warning',
      hold: '30m',
      expr: |||
        target_call_type:cec_window_missing_calls:ratio %s
          and
        target_call_type:cec_window_missing_calls:max %s
      ||| % [q.above('missing_ratio'), q.atLeast('missing_calls')],
      summary: {
        en: 'Calls of {{ $labels.target }} have disappeared from the list.',
        zh: '目标 {{ $labels.target }} 有通话从列表中消失。',
      },
      description: {
        en: '{{ $value | humanizePercentage }} of the {{ $labels.call_type }} calls of {{ $labels.target }} in the lookback are no longer in the list.',
        zh: '目标 {{ $labels.target }} 回溯窗口内 {{ $value | humanizePercentage }} 的 {{ $labels.call_type }} 通话已不在通话质检列表中。',
      },
      title: { en: 'Calls have disappeared from the list.', zh: '通话从通话质检列表中消失。' },
      means: {
        en: |||
          More than 5 % of the calls in the lookback, and at least 10, have disappeared from the list; two
          complete reads agreed. They were deleted, or moved to a status that the exporter does not query.
        |||,
        zh: |||
          回溯窗口内 5 % 以上（且至少 10 条）的通话曾在列表中，现已不在，经两次完整读取确认。通话被删除，
          或进入了 exporter 未查询的状态。
        |||,
      },
      queries: [
        [{ en: 'Missing calls', zh: '消失的通话' }, 'target_call_type:cec_window_missing_calls:max'],
        [{ en: 'Since when', zh: '从何时开始' }, 'sum by (target, call_type) (increase(cec_calls_missing_total[1h]))'],
      ],
      steps: {
        en: |||
          1. Check whether calls were deleted on purpose, or a retention period is shorter than the lookback.
          2. If not, they may be in an undocumented status. Open one in the console and add its code to
             `extra_status_codes`.
          3. If `user_id` was changed, the operator may no longer see all calls.
        |||,
        zh: |||
          1. 是否有意删除，或数据保留期短于回溯窗口？
          2. 否则可能进入了文档未列出的状态：在控制台查看其中一条，将状态码加入 `extra_status_codes`。
          3. 若更换过操作员标识（`user_id`），该操作员可能无权查看全部通话。
        |||,
      },
    },
  ]
