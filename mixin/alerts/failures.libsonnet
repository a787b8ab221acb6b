// Whether the processing of calls fails, and why.
function(config)
  local q = (import '../lib/promql.libsonnet')(config);
  local label = import '../text/label.libsonnet';
  local enough(rate) = '3600 * %s %s' % [rate, q.atLeast('finished_calls_per_hour')];
  // At night, two failures of thirty calls mean nothing.
  local failures(rate) = '3600 * %s %s' % [rate, q.atLeast('failed_calls_per_hour')];
  [
    {
      name: 'CecFailureRatioHigh',
      severity: 'warning',
      hold: '10m',
      expr: |||
        target:cec_calls_failed:ratio_rate1h %s
          and
        %s
          and
        %s
      ||| % [
        q.above('failed_ratio'),
        enough('target:cec_calls_processed:rate1h'),
        failures('target:cec_calls_failed:ratio_rate1h * target:cec_calls_processed:rate1h'),
      ],
      summary: {
        en: 'The processing of many calls of {{ $labels.target }} fails.',
        zh: '目标 {{ $labels.target }} 的处理失败率偏高。',
      },
      description: {
        en: '{{ $value | humanizePercentage }} of the calls of {{ $labels.target }} that finished in the last hour failed.',
        zh: '最近一小时，目标 {{ $labels.target }} 有 {{ $value | humanizePercentage }} 的通话处理失败。',
      },
      title: { en: 'The processing of many calls fails.', zh: '处理失败率偏高。' },
      means: {
        en: |||
          More than 10 % of the calls that finished in the last hour failed, whatever the cause: at least 5 of at
          least 20. This is not the pass rate of quality inspection.
        |||,
        zh: |||
          最近一小时完成的通话中（至少 20 条），10% 以上（且至少 5 条）处理失败，不论原因。注意：这与质检合格率无关。
        |||,
      },
      affects: {
        en: 'The calls that failed: they have no inspection result, no score and no measures.',
        zh: '失败的通话没有质检结果和得分，也没有语速、静默等数据。',
      },
      queries: [
        [{ en: 'Share by cause', zh: '各原因占比' }, 'target_call_type_status:cec_calls_processed:ratio_rate1h{status!="succeeded"} > 0.01'],
        [{ en: 'Number in the last hour', zh: '最近一小时的数量' }, 'sum by (target, status) (increase(cec_calls_processed_total{status!="succeeded"}[1h]))'],
      ],
      steps: {
        en: |||
          1. If [CecPipelineStuck](CecPipelineStuck.md) fires as well, start there: while calls are stuck, only
             those that fail early finish.
          2. Find the largest cause. For `inspection_failed` see [CecQuotaExhausted](CecQuotaExhausted.md), for
             `asr_...` and `invalid_audio` see [CecAsrFailing](CecAsrFailing.md).
          3. `multimedia_failed`, `tuc_failed`, `result_update_failed`, `task_failed` are vendor
             errors: report them with the time when they started.
          4. Calls that failed can be inspected again from the vendor's console.
        |||,
        zh: |||
          1. 同时有 [CecPipelineStuck](CecPipelineStuck.md) 时先处理它：通话卡住期间，只有提前失败的通话能走到终态，失败率自然偏高。
          2. 找出占比最大的原因。`inspection_failed` 见 [CecQuotaExhausted](CecQuotaExhausted.md)，`asr_...` 和 `invalid_audio` 见 [CecAsrFailing](CecAsrFailing.md)。
          3. `multimedia_failed`、`tuc_failed`、`result_update_failed`、`task_failed` 属云客服侧问题，附开始时间反馈。
          4. 失败的通话可在云客服控制台重新质检。
        |||,
      },
      resolves: {
        en: 'Up to an hour after the cause is gone, because the ratio covers an hour. It also ends when fewer than 20 calls finish or fewer than 5 fail in an hour, such as at night.',
        zh: '原因消除后最迟一小时恢复，因为占比按一小时计算。一小时内完成的通话不足 20 条、或失败的不足 5 条时（例如夜间）也会恢复。',
      },
    },
    {
      name: 'CecQuotaExhausted',
      severity: 'critical',
      hold: '10m',
      expr: |||
        target_call_type_status:cec_calls_processed:ratio_rate1h{status="inspection_failed"} %s
          and ignoring (status)
        %s
          and
        %s
      ||| % [
        q.above('quota_failed_ratio'),
        enough('target_call_type:cec_calls_processed:rate1h'),
        failures('target_call_type_status:cec_calls_processed:rate1h'),
      ],
      summary: {
        en: 'The inspection of {{ $labels.call_type }} calls of {{ $labels.target }} fails (status 9).',
        zh: '目标 {{ $labels.target }} 的' + label.callType + '通话质检失败（状态 9）。',
      },
      description: {
        en: '{{ $value | humanizePercentage }} of the {{ $labels.call_type }} calls of {{ $labels.target }} that finished in the last hour ended in status 9: most likely a daily quota of audio or files is used up.',
        zh: '最近一小时，目标 {{ $labels.target }} 有 {{ $value | humanizePercentage }} 的' + label.callType + '通话以状态 9 结束，多半是质检音频或文件达到每日上限。',
      },
      title: { en: 'Calls end in status 9: most likely a daily quota is used up.', zh: '通话以状态 9 结束，多半已达到每日上限。' },
      means: {
        en: |||
          More than 20 % of the calls of a type that finished in the last hour ended in `inspection_failed`
          (status 9): at least 5 of at least 20. The vendor uses this status for failed inspections, and for all
          calls once a daily quota of audio or files is used up.
        |||,
        zh: |||
          最近一小时完成的某类通话中（至少 20 条），20% 以上（且至少 5 条）以 `inspection_failed`（状态 9）结束。该状态既表示质检失败，也表示质检音频总流量或文件数达到每日上限后的所有通话。
        |||,
      },
      affects: {
        en: 'If a quota is used up, all calls of this type until it is renewed: they are not inspected. Otherwise only the calls that failed.',
        zh: '若已达到每日上限，额度恢复之前此类通话都不会质检；否则只影响失败的通话。',
      },
      queries: [
        [{ en: 'Share of status 9', zh: '状态 9 的占比' }, 'target_call_type_status:cec_calls_processed:ratio_rate1h{status="inspection_failed"}'],
        [{ en: 'Affected calls within a day', zh: '一天内受影响的通话' }, 'sum by (target, call_type) (increase(cec_calls_processed_total{status="inspection_failed"}[1d]))'],
        [{ en: 'Calls of a day compared with last week', zh: '一天的来量与上周之比' }, 'sum by (target) (increase(cec_calls_total[1d])) / sum by (target) (increase(cec_calls_total[1d] offset 1w))'],
      ],
      steps: {
        en: |||
          1. If the share rises from almost 0 to almost 100 % at some hour and drops at midnight, a quota is used
             up. The vendor's console shows which one. Raise it, or inspect fewer calls.
          2. If only a part of the calls is affected, the inspection itself fails: contact the vendor.
          3. Once there is quota again, have the failed calls inspected again. In the counters they stay failed.
        |||,
        zh: |||
          1. 占比在某一时刻由接近 0 升到接近 100%，零点后回落：达到每日上限。在控制台确认是哪一项，申请提高或减少质检量。
          2. 始终只有一部分通话受影响：质检本身失败，联系云客服侧。
          3. 额度恢复后重新质检失败的通话。计数器中仍计为失败。
        |||,
      },
      resolves: {
        en: 'Up to an hour after the cause is gone, because the ratio covers an hour. It also ends when fewer than 20 calls finish or fewer than 5 fail in an hour, such as at night.',
        zh: '原因消除后最迟一小时恢复，因为占比按一小时计算。一小时内完成的通话不足 20 条、或失败的不足 5 条时（例如夜间）也会恢复。',
      },
    },
    {
      name: 'CecAsrFailing',
      severity: 'warning',
      hold: '10m',
      expr: |||
        target_call_type_status:cec_calls_processed:ratio_rate1h{status=~"asr_.*|invalid_audio"} %s
          and ignoring (status)
        %s
          and
        %s
      ||| % [
        q.above('asr_failed_ratio'),
        enough('target_call_type:cec_calls_processed:rate1h'),
        failures('target_call_type_status:cec_calls_processed:rate1h'),
      ],
      summary: {
        en: 'Transcription of {{ $labels.target }} fails ({{ $labels.status }}).',
        zh: '目标 {{ $labels.target }} 的语音通话转写失败（' + label.asrFailure + '）。',
      },
      description: {
        en: '{{ $value | humanizePercentage }} of the {{ $labels.call_type }} calls of {{ $labels.target }} that finished in the last hour ended in {{ $labels.status }}.',
        zh: '最近一小时，目标 {{ $labels.target }} 有 {{ $value | humanizePercentage }} 的' + label.callType + '通话以“' + label.asrFailure + '”结束。',
      },
      title: { en: 'Transcription fails for one cause.', zh: 'ASR 转写因同一原因失败。' },
      means: {
        en: |||
          More than 5 % of the voice calls that finished in the last hour ended in the same transcription
          failure: at least 5 of at least 20.
        |||,
        zh: |||
          最近一小时完成的语音通话中（至少 20 条），5% 以上（且至少 5 条）以同一种 ASR 转写失败结束。
        |||,
      },
      affects: {
        en: 'The voice calls that end in this status: without a transcript they have no inspection result, no score and no measures.',
        zh: '以该状态结束的语音通话没有转写文本，也就没有质检结果、得分和语速、静默等数据。',
      },
      queries: [
        [{ en: 'Share by cause', zh: '各原因占比' }, 'target_call_type_status:cec_calls_processed:ratio_rate1h{status=~"asr_.*|invalid_audio"}'],
        [{ en: 'Since when', zh: '从何时开始' }, 'sum by (target, status) (rate(cec_calls_processed_total{status=~"asr_.*|invalid_audio"}[15m]))'],
      ],
      steps: {
        en: |||
          By the status in the alert:

          - `asr_empty`: the transcript is empty because recordings are silent or a channel is not recorded.
            Listen to some calls.
          - `asr_upload_failed`, `asr_submit_failed`: the audio does not reach the transcription, or the job is
            not accepted. Contact the vendor.
          - `asr_failed`, `asr_conversion_failed`: the transcription fails. Find out what the calls have in
            common, such as a language or a codec.
          - `invalid_audio`: the files are damaged or in a wrong format. Check the files that the recorder has
            written since the failures started.
        |||,
        zh: |||
          按告警中的状态处理：

          - `asr_empty`：转写结果语音内容为空，说明录音无声，或某一声道未录上。抽听几条。
          - `asr_upload_failed`、`asr_submit_failed`：语音文件未能上传，或任务提交失败。联系云客服侧。
          - `asr_failed`、`asr_conversion_failed`：转写失败。找出这些通话的共同点，如语种、编码格式。
          - `invalid_audio`：语音文件损坏或格式不符。检查录音系统从失败开始时起写出的文件。
        |||,
      },
      resolves: {
        en: 'Up to an hour after the cause is gone, because the ratio covers an hour. It also ends when fewer than 20 calls finish or fewer than 5 fail in an hour, such as at night.',
        zh: '原因消除后最迟一小时恢复，因为占比按一小时计算。一小时内完成的通话不足 20 条、或失败的不足 5 条时（例如夜间）也会恢复。',
      },
    },
  ]
