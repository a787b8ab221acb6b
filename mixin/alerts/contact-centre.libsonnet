// What happens in the contact centre itself.
function(config)
  local q = (import '../lib/promql.libsonnet')(config);
  local label = import '../text/label.libsonnet';
  local enough(rate) = '3600 * %s %s' % [rate, q.atLeast('finished_calls_per_hour')];
  [
    {
      name: 'CecCallsDriedUp',
      severity: 'critical',
      hold: '15m',
      expr: |||
        target:cec_recent_calls:sum / (target:cec_recent_calls:usual > 0) %s
          and
        target:cec_recent_calls:usual %s
      ||| % [q.below('dried_up_ratio'), q.atLeast('dried_up_calls_per_hour')],
      summary: {
        en: 'Hardly any calls of {{ $labels.target }} arrive.',
        zh: '目标 {{ $labels.target }} 几乎没有新通话。',
      },
      description: {
        en: 'In the last hour, {{ $labels.target }} had {{ $value | humanizePercentage }} of the calls that are usual at this hour of the week.',
        zh: '最近一小时，目标 {{ $labels.target }} 的通话量仅为往常同一时段的 {{ $value | humanizePercentage }}。',
      },
      title: { en: 'Hardly any calls arrive.', zh: '几乎没有新通话。' },
      means: {
        en: |||
          In the hour before the frontier, fewer than 20 % of the usual calls were uploaded, and at least 60 are
          usual. The usual number is the median of the last four weeks at this hour. Each week counts with its
          lowest value within an hour to either side, so that a clock change or one unusual week has no effect.
          The alert is evaluated only while the list is read up to the present, and not in the first week, which has
          nothing to compare with.

          Public holidays look like a failure. Silence the alert for them, or use `mute_time_intervals` of
          Alertmanager; later weeks are not affected.
        |||,
        zh: |||
          完整水位前一小时内上传的通话不足往常的 20%，且往常至少有 60 条。“往常”取最近四周同一时段的中位数，每周再取前后各一小时内的最低值，因此夏令时切换或个别异常的一周不会影响判断。只有列表已读到最新时才判断；第一周没有可比数据，不告警。

          法定节假日的表现与故障相同：请提前静默，或用 Alertmanager 的 `mute_time_intervals` 屏蔽；之后几周不受影响。
        |||,
      },
      affects: {
        en: 'If calls really stop: customers, who cannot reach the contact centre. If only recordings stop: quality inspection, which misses these calls.',
        zh: '若确实没有来话，说明客户联系不上联络中心；若只是录音没有上传，这些通话不会质检。',
      },
      queries: [
        [{ en: 'Calls of the last hour', zh: '最近一小时的通话量' }, 'target:cec_recent_calls:sum'],
        [{ en: 'The usual number', zh: '往常通话量' }, 'target:cec_recent_calls:usual'],
        [{ en: 'By type', zh: '按类型' }, 'sum by (target, call_type) (cec_recent_calls)'],
        [{ en: 'Frontier lag, in seconds', zh: '水位落后的秒数' }, 'target:cec_exporter_frontier_lag_seconds:min'],
      ],
      steps: {
        en: |||
          1. On a public holiday this is normal: silence the alert for the day.
          2. Ask the agents whether calls arrive. If they do, recordings are not uploaded: check the recorder and
             the upload to the vendor. If not, inform those who run the lines or channels.
          3. If only one call type is missing, check its channel.
          4. If the configuration was changed, `call_types` or `user_id` may no longer cover the calls.
        |||,
        zh: |||
          1. 是否为节假日？若是，属正常，当天静默即可。
          2. 向座席确认是否有来话。有，说明录音没有上传：检查录音系统及上传链路。没有：通知线路或接入渠道的负责人。
          3. 只缺某一类型：检查对应的接入渠道。
          4. 配置有改动：`call_types` 或 `user_id` 可能不再覆盖全部通话。
        |||,
      },
      resolves: {
        en: 'When the last hour has at least 20 % of the usual calls, or if fewer than 60 are usual at this hour. If the list is no longer read up to the present, the alert ends too, which says nothing about the calls: see [CecFrontierBehind](CecFrontierBehind.md).',
        zh: '最近一小时的通话达到往常的 20%，或往常同一时段不足 60 条后恢复。列表不再读到最新时告警也会消失，但这不说明通话已恢复：见 [CecFrontierBehind](CecFrontierBehind.md)。',
      },
    },
    {
      name: 'CecSpeechTooFast',
      severity: 'info',
      hold: '30m',
      expr: |||
        target_role:cec_call_speech_characters_per_minute:fast_ratio_rate1h %s
          and
        %s
      ||| % [q.above('fast_speech_ratio'), enough('target_role:cec_call_speech_characters_per_minute_count:rate1h')],
      summary: {
        en: '{{ $labels.target }}: speech ({{ $labels.role }}) is fast in many calls.',
        zh: '目标 {{ $labels.target }}：较多通话语速过快（' + label.role + '）。',
      },
      description: {
        en: 'In {{ $value | humanizePercentage }} of the calls of {{ $labels.target }} in the last hour, speech ({{ $labels.role }}) was faster than %d characters a minute.' % config.fastSpeech,
        zh: '最近一小时，目标 {{ $labels.target }} 有 {{ $value | humanizePercentage }} 的通话语速（' + label.role + '）超过 %d 字/分钟。' % config.fastSpeech,
      },
      title: { en: 'Speech is fast in many calls.', zh: '较多通话语速过快。' },
      means: {
        en: |||
          For half an hour, the mean speed of this speaker has been above %d characters a minute in more than
          30 %% of the calls of the preceding hour. Each speaker of a call is one observation.
        ||| % config.fastSpeech,
        zh: |||
          半小时以来，在最近一小时的通话中，该角色平均语速超过 %d 字/分钟的通话始终占 30%% 以上。客户和座席分别统计。
        ||| % config.fastSpeech,
      },
      affects: {
        en: 'The quality of the calls, not the metrics: customers who are spoken to too fast, or who are upset.',
        zh: '影响的是服务质量，不是指标：座席说得太快，客户听不清；或客户情绪激动。',
      },
      queries: [
        [{ en: 'Share of fast calls by role', zh: '各角色语速过快的通话占比' }, 'target_role:cec_call_speech_characters_per_minute:fast_ratio_rate1h'],
        [{ en: 'Mean speed by role', zh: '各角色平均语速' }, 'sum by (target, role) (rate(cec_call_speech_characters_per_minute_sum[1h])) / sum by (target, role) (rate(cec_call_speech_characters_per_minute_count[1h]))'],
        [{ en: 'A week before', zh: '一周前' }, 'target_role:cec_call_speech_characters_per_minute:fast_ratio_rate1h offset 1w'],
      ],
      steps: {
        en: |||
          1. Staff: people speak faster during a rush with waiting calls. Otherwise inform the team lead; the
             vendor's console shows which agents are affected.
          2. Customers: an event may upset many of them at once, often together with a wave of calls.
          3. A sudden jump of all roles points to the measurement, such as a changed transcription or another
             language.
          4. If this is normal, raise `cec:fast_speech_ratio:threshold`, or `fastSpeech` in the mixin to
             another bound of the histogram.
        |||,
        zh: |||
          1. 座席：是否来话高峰、排队较多？此时语速往往偏快。否则通知班组长，具体座席可在控制台查看。
          2. 客户：可能有引起普遍不满的事件，常伴随来话激增。
          3. 客户和座席同时突变：多半是测量方式变化，如 ASR 升级或语种不同。
          4. 若属正常，调大 `cec:fast_speech_ratio:threshold`，或在 mixin 中把 `fastSpeech` 改为直方图的另一个边界。
        |||,
      },
      resolves: {
        en: 'Up to an hour after people speak more slowly again. It also ends when fewer than 20 calls finish in an hour.',
        zh: '语速回落后最迟一小时恢复。一小时内完成的通话不足 20 条时也会恢复。',
      },
    },
    {
      name: 'CecSilenceTooLong',
      severity: 'info',
      hold: '30m',
      expr: |||
        target:cec_call_silence:ratio_rate1h %s
          and
        3600 * min without (role) (target_role:cec_call_silence_seconds_count:rate1h) %s
      ||| % [q.above('silence_ratio'), q.atLeast('finished_calls_per_hour')],
      summary: {
        en: 'Nobody speaks for long parts of the calls of {{ $labels.target }}.',
        zh: '目标 {{ $labels.target }} 的通话静默时间过长。',
      },
      description: {
        en: 'Nobody spoke for {{ $value | humanizePercentage }} of the call time of {{ $labels.target }} in the last hour.',
        zh: '最近一小时，目标 {{ $labels.target }} 的通话时间中有 {{ $value | humanizePercentage }} 双方均未说话。',
      },
      title: { en: 'Nobody speaks for long parts of the calls.', zh: '通话静默时间过长。' },
      means: {
        en: |||
          For half an hour, nobody has spoken during more than half of the call time of the preceding hour. The
          value is the silence of both sides minus the duration of the calls, so longer calls weigh more. Calls
          without a measure of one side do not distort it; if one side has no measures at all, the alert does not
          fire. If both sides speak at once, the actual silence is slightly longer.
        |||,
        zh: |||
          半小时以来，最近一小时的通话时间中始终有一半以上双方均未说话。计算方法：双方各自的静默时长（接口称“静音时间”）之和减去通话时长，因此长通话权重更大。个别通话缺少一方数据不影响结果；若一方完全没有数据，则不告警。双方同时说话时，实际静默略长于该值。
        |||,
      },
      affects: {
        en: 'Customers, who wait on the line; or, if speech is lost, the inspection of these calls.',
        zh: '影响在线等待的客户；若是语音丢失，则影响这些通话的质检。',
      },
      queries: [
        [{ en: 'Share of silence', zh: '静默占比' }, 'target:cec_call_silence:ratio_rate1h'],
        [{ en: 'Mean silence of each side, in seconds', zh: '双方平均静默时长（秒）' }, 'target_role:cec_call_silence_seconds:mean_rate1h'],
        [{ en: 'Mean call duration, in seconds', zh: '平均通话时长（秒）' }, 'target:cec_call_duration_seconds:mean_rate1h'],
      ],
      steps: {
        en: |||
          1. If staff speak less than usual, they may be waiting for a slow system, or customers are on hold.
          2. If one side hardly speaks, its channel may not be recorded. Listen to some calls.
          3. If both sides speak less since the same moment, the transcription may be losing parts of the audio. See
             [CecAsrFailing](CecAsrFailing.md).
          4. If this is normal, raise `cec:silence_ratio:threshold`.
        |||,
        zh: |||
          1. 座席说话变少：业务系统响应慢，或客户处于通话保持。
          2. 一方几乎不说话：该声道可能未录上，抽听几条。
          3. 双方从同一时刻起说话都变少：ASR 可能丢失部分语音，见 [CecAsrFailing](CecAsrFailing.md)。
          4. 若属正常，调大 `cec:silence_ratio:threshold`。
        |||,
      },
      resolves: {
        en: 'Up to an hour after the silence is shorter again. It also ends when fewer than 20 calls finish in an hour.',
        zh: '静默回落后最迟一小时恢复。一小时内完成的通话不足 20 条时也会恢复。',
      },
    },
  ]
