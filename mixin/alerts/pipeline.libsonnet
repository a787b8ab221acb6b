// Whether calls get through transcription and inspection, in time.
function(config)
  local q = (import '../lib/promql.libsonnet')(config);
  local label = import '../text/label.libsonnet';
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
      ||| % ['(\n' + over(long) + ')', '(\n' + over(short) + ')', long, q.atLeast('finished_calls_per_hour')]
            // At a first start only the stragglers of the calls before it are seen to finish.
            + (if !std.endsWith(long, 'd') then '' else |||
              unless
                2 * target:cec_calls_processing:increase%s
                  < sum without (call_type) (target_call_type:cec_calls_per_day:max)
            ||| % long),
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
        The other 5 %% are the error budget. The alert fires when it burns too fast over a long and a short window,
        which are labels of the alert: 14.4 times too fast for an hour or 6 times for six hours (critical), 3 times
        for a day or exactly at its rate for three days (warning).

        A call is late if it took longer, if it left the lookback unfinished, or if it is still pending beyond
        the calls of the last hour and the stragglers that the objective allows. Calls whose end the exporter
        did not see, because the vendor or the exporter was down, do not count. Windows of days are judged
        once the end of half an average day's calls has been seen.
      ||| % minutes,
      zh: |||
        服务目标（SLO）：95%% 的通话在上传后 %d 分钟内完成质检（不论结果），其余 5%% 为错误预算。长、短两个窗口（见告警标签）内错误预算的消耗速度都过快时告警：一小时内达 14.4 倍，或六小时内达 6 倍（严重）；一天内达 3 倍，或三天内达 1 倍（警告）。

        超时通话包括：耗时超限的；未达终态就移出回溯窗口的；仍在等待、且超出最近一小时来量与正常滞留量之和的。因云客服侧或 exporter 故障而未观察到完成时刻的通话不计入。以天计的窗口，观察到完成的通话达到日均来量的一半后才判断。
      ||| % minutes,
    },
    affects: {
      en: 'The people who wait for the inspection of calls of this target: more results than agreed come late.',
      zh: '质检结果晚到的通话超出约定比例，影响等待结果的人。',
    },
    queries: [
      [{ en: 'Late calls as a share', zh: '超时通话占比' }, 'target:cec_calls_processing:late_increase1h / target:cec_calls_processing:increase1h'],
      [{ en: 'Pending calls by stage', zh: '各阶段积压' }, 'target_call_type_status:cec_window_calls_pending:max'],
      [{ en: 'Overdue calls by stage', zh: '各阶段超期通话' }, 'target_call_type_status:cec_calls_overdue:min'],
      [{ en: '90 % of the calls are processed within this many seconds', zh: '质检耗时 P90（秒）' }, q.quantile(0.9, 'cec_call_processing_seconds', '', '1h', ['target'])],
    ],
    steps: {
      en: |||
        1. If the calls wait in one stage, see [CecPipelineStuck](CecPipelineStuck.md).
        2. If all stages are slow, compare with the number of calls: a busy day, or a batch of recordings
           uploaded late, passes without action.
        3. Otherwise contact the vendor, with examples from the list of inspected calls.
        4. If you agreed on another objective, change `cec:processing_objective:threshold`; for another limit than
           30 minutes, `processingLimit` in the mixin.
      |||,
      zh: |||
        1. 通话集中滞留在某一阶段：见 [CecPipelineStuck](CecPipelineStuck.md)。
        2. 各阶段都慢：对照来量。业务高峰或录音集中补传引起的，会自行恢复。
        3. 否则从通话质检列表中取几条样例，联系云客服侧。
        4. 约定的比例不同时，修改 `cec:processing_objective:threshold`；时限不是 30 分钟时，修改 mixin 中的 `processingLimit`。
      |||,
    },
    resolves: {
      en: 'When calls are processed in time again for the length of the short window (5 minutes to 6 hours), and none is overdue.',
      zh: '短窗口（5 分钟到 6 小时）内的通话重新按时完成，且没有超期通话时恢复。',
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
        zh: '目标 {{ $labels.target }} 的通话卡在“' + label.stage + '”阶段。',
      },
      description: {
        en: 'At least {{ $value | humanize }} {{ $labels.call_type }} calls of {{ $labels.target }} in status {{ $labels.status }} are overdue: they exceed the calls of the last hour and the usual stragglers.',
        zh: '目标 {{ $labels.target }} 至少有 {{ $value | humanize }} 条' + label.callType + '通话滞留在“' + label.stage + '”阶段：积压超过最近一小时的来量与正常滞留量之和。',
      },
      title: { en: 'Calls are stuck in a stage of the pipeline.', zh: '通话卡在某一质检阶段。' },
      means: {
        en: |||
          One stage has more pending calls than arrived in the last hour plus the usual stragglers, and the oldest
          has waited for more than an hour. The usual stragglers are 5 % of the calls of the last day, or of an
          average day in the lookback if that is more. Ages are as of the frontier, so time in which the vendor was
          not reachable does not count.
        |||,
        zh: |||
          某一阶段的积压超过最近一小时的来量与正常滞留量之和，且最早的一条已等待一小时以上。正常滞留量为最近一天来量或回溯窗口内日均来量（取较大者）的 5%。等待时长以完整水位为准，因此云客服侧不可访问的时间不计入。
        |||,
      },
      affects: {
        en: 'The calls in this status: they have no inspection result, no measures and no score yet. Later calls queue behind them.',
        zh: '处于该状态的通话还没有质检结果和得分，也没有语速、静默等数据。之后的通话也会排在它们后面。',
      },
      queries: [
        [{ en: 'Overdue calls by stage', zh: '各阶段超期通话' }, 'target_call_type_status:cec_calls_overdue:min'],
        [{ en: 'Age of the oldest call by stage, in seconds', zh: '各阶段最早一条的等待时长（秒）' }, 'target_call_type_status:cec_oldest_pending_call_age_seconds:max'],
        [{ en: 'Finished calls per second by status', zh: '各终态的完成速度（每秒条数）' }, 'sum by (target, status) (rate(cec_calls_processed_total[15m]))'],
      ],
      steps: {
        en: |||
          1. Identify the stage by the status in the alert: `waiting` means that inspection does not start (quota, or
             the vendor's queue), `transcribing` that the transcription does not return, `inspecting` that the rules are
             not evaluated.
          2. In the vendor's console, check the state of quality inspection, quotas and contracts.
          3. Contact the vendor, with the stage and the upload time of the oldest call
             (`cec_oldest_pending_call_timestamp_seconds`).
          4. If it will last, raise `lookback`: calls that leave it unfinished count in `cec_calls_expired_total`, and
             not as finished, even if they are inspected later.
        |||,
        zh: |||
          1. 由告警中的状态判断阶段：`waiting`（等待质检）说明质检未开始（额度或云客服侧排队）；`transcribing`（ASR 转写中）说明转写没有返回；`inspecting`（质检处理中）说明规则未执行完。
          2. 在云客服控制台查看智能质检的状态、每日上限和合同。
          3. 联系云客服侧，提供所在阶段和最早一条通话的上传时间（`cec_oldest_pending_call_timestamp_seconds`）。
          4. 预计持续较久时，调长 `lookback`：未达终态就移出回溯窗口的通话计入 `cec_calls_expired_total`，即使之后完成质检，也不再计为完成。
        |||,
      },
      resolves: {
        en: 'When the backlog is processed: fewer than 10 calls overdue, or the oldest has waited for less than an hour.',
        zh: '积压处理完后恢复：超期通话少于 10 条，或最早的一条等待不到一小时。',
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
      expr: 'target_call_type_status:cec_oldest_pending_call_age_seconds:max{%s} %s' % [q.unknown, q.above('pending_age_seconds')],
      summary: {
        en: 'Calls of {{ $labels.target }} stay in an unknown status ({{ $labels.status }}).',
        zh: '目标 {{ $labels.target }} 的通话停留在未知状态（{{ $labels.status }}）。',
      },
      description: {
        en: 'The oldest {{ $labels.call_type }} call of {{ $labels.target }} in status {{ $labels.status }} was uploaded {{ $value | humanizeDuration }} ago. The exporter does not know whether this status is final.',
        zh: '目标 {{ $labels.target }} 有状态为 {{ $labels.status }} 的' + label.callType + '通话，最早一条上传于 {{ $value | humanizeDuration }} 前。exporter 无法判断该状态是否为终态。',
      },
      title: { en: 'Calls stay in an unknown status.', zh: '通话停留在未知状态。' },
      means: {
        en: |||
          The vendor uses a status code that this version of the exporter does not know, or gives none (`unknown`), and
          calls have been like that for more than an hour.
        |||,
        zh: |||
          云客服返回了当前版本 exporter 不认识的状态码，或未给出状态码（`unknown`），且有通话停留在该状态一小时以上。
        |||,
      },
      affects: {
        en: 'The calls in this status: they count as pending and, when they leave the lookback, as expired. If the status is final, they are missing from the finished calls.',
        zh: '处于该状态的通话按未达终态处理，移出回溯窗口时计为过期。若该状态其实是终态，已完成的通话中就缺少这些通话。',
      },
      queries: [
        [{ en: 'Number', zh: '数量' }, 'target_call_type_status:cec_window_calls_pending:max{%s}' % q.unknown],
        [{ en: 'Calls that left the lookback in this status', zh: '以此状态移出回溯窗口的通话' }, 'sum by (target, status) (increase(cec_calls_expired_total{%s}[1d]))' % q.unknown],
      ],
      steps: {
        en: |||
          1. Look up the code in the vendor's documentation, or open such a call in the console.
          2. Update the exporter; if it still does not know the code, report it. If the status comes from
             `extra_status_codes` and you do not need it, remove it there.
          3. `unknown`: report to the vendor that these calls have no status.
        |||,
        zh: |||
          1. 在云客服的接口文档中查找该状态码，或在控制台中查看此类通话。
          2. 升级 exporter；仍不认识时反馈该状态码。若来自 `extra_status_codes` 且没有用处，将其移除。
          3. 状态为 `unknown`：向云客服侧反馈这些通话没有状态码。
        |||,
      },
      resolves: {
        en: 'When no call has been in this status for more than an hour: at the latest when they have left the lookback.',
        zh: '没有通话停留在该状态一小时以上后恢复，最迟在它们移出回溯窗口时。',
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
        zh: '最近一小时，目标 {{ $labels.target }} 有 {{ $value | humanize }} 条' + label.callType + '通话未达终态就移出回溯窗口。',
      },
      title: { en: 'Calls leave the lookback unfinished.', zh: '通话未完成质检就移出回溯窗口。' },
      means: {
        en: |||
          The exporter remembers calls for the lookback. More than 10 in an hour left it without a final status:
          they were never inspected, or only after the lookback.
        |||,
        zh: |||
          台账只保存回溯窗口内的通话。一小时内有 10 条以上未达终态就移出：从未质检，或质检耗时超过回溯窗口。
        |||,
      },
      affects: {
        en: 'These calls: they never count as finished, have no measures, and count as late in the error budget.',
        zh: '这些通话不会再计为完成，没有语速、静默等数据，并在错误预算中按超时计。',
      },
      queries: [
        [{ en: 'By status last seen', zh: '按最后读到的状态统计' }, 'sum by (target, call_type, status) (increase(cec_calls_expired_total[1h])) > 0'],
        [{ en: 'Pending calls', zh: '当前积压' }, 'target_call_type_status:cec_window_calls_pending:max'],
      ],
      steps: {
        en: |||
          1. If a stage is stuck, see [CecPipelineStuck](CecPipelineStuck.md).
          2. If inspection is just slow, raise `lookback`, so that the exporter still sees the end.
        |||,
        zh: |||
          1. 某一阶段卡住：见 [CecPipelineStuck](CecPipelineStuck.md)。
          2. 只是质检慢：调长 `lookback`，使 exporter 能看到通话完成。
        |||,
      },
      resolves: {
        en: 'Once at most 10 calls left the lookback like this in the last hour.',
        zh: '最近一小时内这样移出的通话不超过 10 条后恢复。',
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
        zh: '目标 {{ $labels.target }} 有通话从通话质检列表中消失。',
      },
      description: {
        en: '{{ $value | humanizePercentage }} of the {{ $labels.call_type }} calls of {{ $labels.target }} in the lookback are no longer in the list.',
        zh: '目标 {{ $labels.target }} 回溯窗口内 {{ $value | humanizePercentage }} 的' + label.callType + '通话已不在通话质检列表中。',
      },
      title: { en: 'Calls have disappeared from the list.', zh: '通话从通话质检列表中消失。' },
      means: {
        en: |||
          More than 5 % of the calls in the lookback, and at least 10, have disappeared from the list; two complete
          readings agreed. They were deleted, or moved to a status that the exporter does not request.
        |||,
        zh: |||
          回溯窗口内 5% 以上（且至少 10 条）的通话曾在列表中，现已不在，经连续两次完整读取确认。它们已被删除，或进入了 exporter 未查询的状态。
        |||,
      },
      affects: {
        en: 'These calls: they are no longer in the gauges. What has been counted stays counted.',
        zh: '各 gauge 不再包含这些通话，已计数的不变。',
      },
      queries: [
        [{ en: 'Missing calls', zh: '消失的通话' }, 'target_call_type:cec_window_missing_calls:max'],
        [{ en: 'Since when', zh: '从何时开始' }, 'sum by (target, call_type) (increase(cec_calls_missing_total[1h]))'],
      ],
      steps: {
        en: |||
          1. Ask whether calls were deleted on purpose, or a retention period is shorter than the lookback. Then silence
             the alert until they have left the lookback.
          2. If not, they may be in an undocumented status. Open one in the console and add its code to
             `extra_status_codes`.
          3. If `user_id` was changed, the operator may no longer see all calls.
        |||,
        zh: |||
          1. 确认是否有意删除，或数据保留期短于回溯窗口。若是，静默该告警，直到它们移出回溯窗口。
          2. 否则可能进入了文档未列出的状态：在控制台查看其中一条，将状态码加入 `extra_status_codes`。
          3. 若更换过操作员标识（`user_id`），新的操作员可能无权查看全部通话。
        |||,
      },
      resolves: {
        en: 'When the calls are listed again, or have left the lookback.',
        zh: '这些通话重新出现在列表中，或移出回溯窗口后恢复。',
      },
    },
  ]
