// Scores and rules of the automatic inspection, and what they and the teams depend on.
function(config)
  local q = (import '../lib/promql.libsonnet')(config);
  local label = import '../text/label.libsonnet';
  [
    {
      name: 'CecScoreFalling',
      severity: 'info',
      hold: '1h',
      expr: |||
        target_scenario:cec_call_score:usual - target_scenario:cec_call_score:mean_increase1d %s
          and
        target_scenario:cec_call_score_count:increase1d %s
      ||| % [q.above('score_drop_points'), q.atLeast('results_per_day')],
      summary: {
        en: '{{ $labels.target }}: the score of {{ $labels.scenario }} has fallen.',
        zh: '目标 {{ $labels.target }}：业务场景“{{ $labels.scenario }}”得分下降。',
      },
      description: {
        en: 'The mean score of {{ $labels.scenario }} of {{ $labels.target }} in the last day is {{ $value | printf "%.1f" }} points below that of the week before.',
        zh: '最近一天，目标 {{ $labels.target }} 业务场景“{{ $labels.scenario }}”的平均得分比此前一周低 {{ $value | printf "%.1f" }} 分。',
      },
      title: { en: 'The mean score of a scenario has fallen.', zh: '业务场景的平均得分下降。' },
      means: {
        en: |||
          For an hour, the mean score of the last day has been more than 5 points below the mean of the week before
          that day. Both have at least 100 results a day, so a few bad calls do not raise the alert. In the first
          days there is nothing to compare with, and the alert does not fire.
        |||,
        zh: |||
          一小时以来，最近一天的平均得分始终比此前一周低 5 分以上。两者每天都至少有 100 条质检结果，因此个别低分通话不会触发告警。启用后的头几天没有可比数据，不告警。
        |||,
      },
      affects: {
        en: 'The calls of this business scenario: their quality has fallen, or they are judged differently.',
        zh: '该业务场景的通话质量下降，或评分标准有变。',
      },
      queries: [
        [{ en: 'Mean score of the last day', zh: '最近一天的平均得分' }, 'target_scenario:cec_call_score:mean_increase1d'],
        [{ en: 'Mean score of the week before', zh: '此前一周的平均得分' }, 'target_scenario:cec_call_score:usual'],
        [{ en: 'Rules that are violated more often, as a difference of shares', zh: '违规率上升的规则（占比之差）' }, 'topk(10, target_scenario_kind_rule:cec_call_rules:violated_ratio_increase1d - target_scenario_kind_rule:cec_call_rules:violated_ratio_usual)'],
        [{ en: 'Results of the last day', zh: '最近一天的质检结果数' }, 'target_scenario:cec_call_score_count:increase1d'],
      ],
      steps: {
        en: |||
          1. On the dashboard Quality, look at which rules of the scenario are violated more often, and since when.
             One rule: see [CecRuleViolatedSuddenly](CecRuleViolatedSuddenly.md).
          2. All rules a little: compare the teams. One team may be new, or have too many calls.
          3. If points or rules of the scenario were changed at the vendor, the scores before and after cannot be
             compared: silence the alert for a week.
          4. If the score often varies by so much, raise `cec:score_drop_points:threshold`.
        |||,
        zh: |||
          1. 在“质量”仪表盘查看该业务场景哪些规则的违规增多、从何时开始。只有一条规则：见 [CecRuleViolatedSuddenly](CecRuleViolatedSuddenly.md)。
          2. 各规则的违规都略有增加：比较各班组，可能有新班组，或某班组来话过多。
          3. 若在云客服侧修改过该业务场景的规则或分值，修改前后的得分不可比，将该告警静默一周。
          4. 若得分波动本来就大，调大 `cec:score_drop_points:threshold`。
        |||,
      },
      resolves: {
        en: 'When the mean of the last day is within 5 points of the week before again: a day after the cause is gone. A score that stays low becomes the usual one within a week, and the alert ends.',
        zh: '最近一天的平均得分与此前一周相差不到 5 分后恢复，即原因消除约一天后。若得分一直偏低，一周内会成为新的往常水平，告警随之恢复。',
      },
    },
    {
      name: 'CecRuleViolatedSuddenly',
      severity: 'info',
      hold: '1h',
      expr: |||
        target_scenario_kind_rule:cec_call_rules:violated_ratio_increase1d
          > target_scenario_kind_rule:cec_call_rules:violated_ratio_usual
              * on () group_left () min(cec:rule_violated_factor:threshold)
          and ignoring (result)
        target_scenario_kind_rule_result:cec_call_rules:increase1d{result="violated"} %s
      ||| % q.atLeast('rule_violations_per_day'),
      summary: {
        en: '{{ $labels.target }}: the rule {{ $labels.rule }} of {{ $labels.scenario }} is violated far more often.',
        zh: '目标 {{ $labels.target }}：业务场景“{{ $labels.scenario }}”的规则“{{ $labels.rule }}”违规突增。',
      },
      description: {
        en: 'In the last day, {{ $value | humanizePercentage }} of the calls of {{ $labels.target }} violated the rule {{ $labels.rule }} ({{ $labels.kind }}) of {{ $labels.scenario }}: several times the share of the week before.',
        zh: '最近一天，目标 {{ $labels.target }} 有 {{ $value | humanizePercentage }} 的通话违反业务场景“{{ $labels.scenario }}”的规则“{{ $labels.rule }}”（' + label.kind + '），为此前一周的数倍。',
      },
      title: { en: 'A rule is violated far more often than usual.', zh: '某条规则违规突增。' },
      means: {
        en: |||
          For an hour, the share of calls that violated this rule in the last day has been more than twice the share
          of the week before that day. At least 40 calls of the day violated it, and in the week before the rule had
          at least 100 results a day. A new rule does not raise the alert, nor does one that is rarely applied.
        |||,
        zh: |||
          一小时以来，最近一天该规则的违规率始终超过此前一周的两倍。当天至少有 40 条通话违规，且此前一周该规则每天至少有 100 条质检结果。新增的规则和很少用到的规则不会触发告警。
        |||,
      },
      affects: {
        en: 'The calls that this rule is checked for: agents violate it more often, or it judges differently.',
        zh: '按该规则质检的通话，违规确实增多，或规则的判定有变。',
      },
      queries: [
        [{ en: 'Share of calls that violated each rule in the last day', zh: '最近一天各规则的违规率' }, 'target_scenario_kind_rule:cec_call_rules:violated_ratio_increase1d'],
        [{ en: 'As a multiple of the week before', zh: '与此前一周之比' }, 'target_scenario_kind_rule:cec_call_rules:violated_ratio_increase1d / (target_scenario_kind_rule:cec_call_rules:violated_ratio_usual > 0)'],
        [{ en: 'Calls that violated each rule, by hour', zh: '各规则每小时的违规通话数' }, 'sum by (target, scenario, rule) (increase(cec_call_rules_total{result="violated"}[1h]))'],
      ],
      steps: {
        en: |||
          1. Look at when the rise began. If it began at once, the rule, its keywords or its limits were probably
             changed at the vendor: ask the people who maintain them.
          2. If several rules about the same subject rise together, agents may lack an instruction, such as a new
             wording, or a system may not work.
          3. Rules about silence, speed or talking over each other: compare with the dashboard Speech quality. A
             changed transcription also shows there.
          4. If such variation is normal, raise `cec:rule_violated_factor:threshold` or
             `cec:rule_violations_per_day:threshold`.
        |||,
        zh: |||
          1. 查看从何时开始上升。若是瞬间上升，多半是在云客服侧修改了规则、关键词或阈值，请向规则维护人员核实。
          2. 内容相关的多条规则同时上升：可能是话术更新而座席不知情，或业务系统故障。
          3. 静默、语速、抢话类规则：与“语音质量”仪表盘对照。ASR 转写的变化也会在那里体现。
          4. 若这样的波动属正常，调大 `cec:rule_violated_factor:threshold` 或 `cec:rule_violations_per_day:threshold`。
        |||,
      },
      resolves: {
        en: 'When the share of the last day is below twice that of the week before again: a day after the cause is gone, and at the latest when the higher share has become the usual one, within a week.',
        zh: '最近一天的违规率低于此前一周的两倍后恢复，即原因消除约一天后；若一直偏高，最迟一周内成为新的往常水平，告警随之恢复。',
      },
    },
    {
      name: 'CecResultsBacklog',
      severity: 'warning',
      hold: '30m',
      expr: |||
        (%(pending)s) %(calls)s
          unless
        (%(pending)s) < (%(before)s)
          and
        (time() - %(oldest)s) / %(lookback)s %(age)s
          or
        sum without (outcome) (%(expired)s) %(calls)s
      ||| % {
        pending: q.one('cec_exporter_results_pending'),
        // Less than the alert is held: at a first start, the results of a whole lookback wait.
        before: q.one('cec_exporter_results_pending offset 20m'),
        oldest: q.one('cec_exporter_results_oldest_pending_timestamp_seconds', by='min'),
        lookback: q.one('cec_window_seconds'),
        expired: q.one('increase(cec_exporter_results_total{outcome="expired"}[1h])'),
        calls: q.atLeast('results_backlog_calls'),
        age: q.above('results_age_ratio'),
      },
      summary: {
        en: 'Inspection results of {{ $labels.target }} are late.',
        zh: '目标 {{ $labels.target }} 的质检结果查询积压。',
      },
      description: {
        en: '{{ $value | humanize }} calls of {{ $labels.target }} wait for their inspection result, the oldest for too long, or were given up in the last hour. Scores and rules lack these calls.',
        zh: '目标 {{ $labels.target }} 有 {{ $value | humanize }} 条通话等待查询质检结果（最早的一条等待过久），或在最近一小时内被放弃，得分与规则中缺少这些通话。',
      },
      title: { en: 'Inspection results are requested too slowly.', zh: '质检结果的查询有积压。' },
      means: {
        en: |||
          For half an hour, at least 20 calls have been waiting for their inspection result, the oldest of them for
          more than half of the lookback, and they do not become fewer; or at least 20 calls were given up within
          an hour, because they left the lookback.
        |||,
        zh: |||
          半小时以来，始终有至少 20 条通话等待查询质检结果，其中最早一条的等待时长已超过回溯窗口的一半，且数量没有减少；或一小时内有至少 20 条通话因移出回溯窗口而被放弃。
        |||,
      },
      affects: {
        en: 'Scores and rules of this target: they are late, and calls that are given up are missing from them. Everything else is unaffected.',
        zh: '该目标的得分与规则会延迟，被放弃的通话不计入。其他指标不受影响。',
      },
      queries: [
        [{ en: 'Calls that wait', zh: '等待中的通话数' }, 'cec_exporter_results_pending'],
        [{ en: 'Age of the oldest, in seconds', zh: '最早一条已等待的秒数' }, 'time() - cec_exporter_results_oldest_pending_timestamp_seconds'],
        [{ en: 'Results in the last hour, by outcome', zh: '最近一小时的查询结果' }, 'increase(cec_exporter_results_total[1h])'],
        [{ en: 'Responses of the API of results', zh: '质检结果接口的返回' }, 'sum by (target, code) (rate(cec_exporter_api_requests_total{api="credit"}[15m]))'],
      ],
      steps: {
        en: |||
          1. If most requests succeed, there are more calls than `max_requests_per_second` of `results` allows:
             raise it, or lower `share`. For means and shares, a tenth of the calls is usually enough.
          2. If many are answered 429, the vendor limits this API: lower `share`.
          3. If requests fail in another way, run `cec_exporter check`: it tries this API. The account may lack the
             permission.
          4. After an outage the backlog shrinks by itself; the number of pending calls shows it.
        |||,
        zh: |||
          1. 请求大多成功：通话数超出了 `results` 的 `max_requests_per_second`，请调大，或降低 `share`。计算平均值和占比时，十分之一的通话通常就够。
          2. 大量返回 429：云客服侧对该接口限流，请降低 `share`。
          3. 其他失败：运行 `cec_exporter check`，它会访问该接口。应用可能没有权限。
          4. 中断恢复后，积压会自行消化，等待中的通话数随之下降。
        |||,
      },
      resolves: {
        en: 'When fewer calls wait than 20 minutes before, or the oldest has waited for less than half of the lookback; and fewer than 20 were given up in the last hour.',
        zh: '等待的通话比 20 分钟前少，或最早一条的等待时长不到回溯窗口的一半；且最近一小时放弃的通话少于 20 条后恢复。',
      },
    },
    {
      name: 'CecTeamsFileRejected',
      severity: 'warning',
      hold: '5m',
      expr: 'cec_exporter_teams_file_last_reload_successful == 0',
      summary: {
        en: 'The teams file of {{ $labels.target }} was rejected.',
        zh: '目标 {{ $labels.target }} 的班组文件未被采用。',
      },
      description: {
        en: 'The changed teams_file of {{ $labels.target }} has a mistake (cec_exporter_teams_file_last_reload_successful is {{ $value }}). The exporter still uses the previous teams.',
        zh: '目标 {{ $labels.target }} 修改后的 teams_file 有错误（cec_exporter_teams_file_last_reload_successful 为 {{ $value }}），exporter 仍在使用原来的班组。',
      },
      title: { en: 'A changed teams file was rejected.', zh: '修改后的班组文件未被采用。' },
      means: {
        en: |||
          `teams_file` was changed and cannot be read, or has a mistake. It is refused as a whole.
        |||,
        zh: |||
          `teams_file` 已修改，但无法读取或有错误，整个文件未被采用。
        |||,
      },
      affects: {
        en: 'Metrics by team of this target: calls count in the teams as they were before. With this file the exporter would not start.',
        zh: '该目标的通话仍按原来的班组统计。若此时重启，exporter 将无法启动。',
      },
      queries: [
        [{ en: 'Affected targets', zh: '受影响的目标' }, 'cec_exporter_teams_file_last_reload_successful == 0'],
        [{ en: 'Calls by team, per hour', zh: '各班组每小时通话数' }, '3600 * target_team:cec_team_calls_processed:rate1h'],
      ],
      steps: {
        en: |||
          1. The exporter's log names the line and the mistake.
          2. Correct the file. It is read again at the next pull.
          3. From Excel, save it as "CSV UTF-8". Replace the file in one step (write a new one and rename it), so
             that the exporter never reads half of it.
        |||,
        zh: |||
          1. 查看 exporter 日志，其中指出行号和错误。
          2. 更正文件，下一次同步时会重新读取。
          3. 用 Excel 编辑时，另存为“CSV UTF-8”。请一次性替换文件（先写入新文件再改名），以免 exporter 读到一半。
        |||,
      },
      resolves: {
        en: 'With the pull after the file has been corrected.',
        zh: '更正后的下一次同步时。',
      },
    },
  ]
