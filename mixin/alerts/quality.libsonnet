// Scores and rules of the automatic inspection, and what they and the teams depend on.
function(config)
  local q = (import '../lib/promql.libsonnet')(config);
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
          days there is nothing to compare with, and the alert does not fire. After a week on the lower level, that
          level is the usual one, and the alert ends.
        |||,
        zh: |||
          一小时内，最近一天的平均得分始终比此前一周低 5 分以上。两者每天都至少有 100 条质检结果，个别低分通话不会触发告警。
          启用后的头几天没有可比数据，不告警。得分在较低水平持续一周后，该水平即成为往常水平，告警随之恢复。
        |||,
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
             compared. The alert ends within a week.
          4. If the score often varies by so much, raise `cec:score_drop_points:threshold`.
        |||,
        zh: |||
          1. 在“质量”仪表盘查看该业务场景哪些规则的违规增多、从何时开始。只有一条规则：见
             [CecRuleViolatedSuddenly](CecRuleViolatedSuddenly.md)。
          2. 各规则普遍略有上升：比较各班组，可能有新班组，或某班组来话过多。
          3. 若在云客服侧修改过该业务场景的规则或分值，修改前后的得分不可比，告警会在一周内恢复。
          4. 若得分波动本来就大，请调大 `cec:score_drop_points:threshold`。
        |||,
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
        zh: '最近一天，目标 {{ $labels.target }} 有 {{ $value | humanizePercentage }} 的通话违反业务场景“{{ $labels.scenario }}”的规则“{{ $labels.rule }}”（{{ $labels.kind }}），为此前一周的数倍。',
      },
      title: { en: 'A rule is violated far more often than usual.', zh: '某条规则违规突增。' },
      means: {
        en: |||
          For an hour, the share of calls that violated this rule in the last day has been more than twice the share
          of the week before that day. At least 40 calls of the day violated it, and in the week before the rule had
          at least 100 results a day. A new rule does not raise the alert, nor does one that is rarely applied.
        |||,
        zh: |||
          一小时内，最近一天该规则的违规率始终超过此前一周的两倍。当天至少有 40 条通话违规，且此前一周该规则每天至少有
          100 条质检结果。新增的规则和很少用到的规则不会触发告警。
        |||,
      },
      queries: [
        [{ en: 'Share of calls that violated each rule in the last day', zh: '最近一天各规则的违规率' }, 'target_scenario_kind_rule:cec_call_rules:violated_ratio_increase1d'],
        [{ en: 'As a multiple of the week before', zh: '与此前一周之比' }, 'target_scenario_kind_rule:cec_call_rules:violated_ratio_increase1d / (target_scenario_kind_rule:cec_call_rules:violated_ratio_usual > 0)'],
        [{ en: 'Calls that violated each rule, by hour', zh: '各规则每小时的违规通话数' }, 'sum by (target, scenario, rule) (increase(cec_call_rules_total{result="violated"}[1h]))'],
      ],
      steps: {
        en: |||
          1. Look at when the rise began. If it began at once, the rule, its keywords or its limits were probably
             changed at the vendor: ask who maintains them.
          2. If several rules about the same thing rise together, agents may lack an instruction, such as a new
             wording or a system that does not work.
          3. Rules about silence, speed or talking over each other: compare with the dashboard Speech quality. A
             changed transcription also shows there.
          4. If such variation is normal, raise `cec:rule_violated_factor:threshold` or
             `cec:rule_violations_per_day:threshold`.
        |||,
        zh: |||
          1. 查看从何时开始上升。若是瞬间上升，多半是云客服侧修改了规则、关键词或阈值，请向规则维护人员核实。
          2. 多条相关规则同时上升：座席可能缺少说明，例如话术更新，或业务系统故障。
          3. 静默、语速、抢话类规则：与“语音质量”仪表盘对照。ASR 转写变化也会在那里体现。
          4. 若这样的波动属正常，调大 `cec:rule_violated_factor:threshold` 或 `cec:rule_violations_per_day:threshold`。
        |||,
      },
    },
    {
      name: 'CecResultsBacklog',
      severity: 'warning',
      hold: '30m',
      expr: |||
        (%(pending)s) %(calls)s
          and
        (time() - %(oldest)s) / %(lookback)s %(age)s
          or
        sum without (outcome) (%(expired)s) %(calls)s
      ||| % {
        pending: q.one('cec_exporter_results_pending'),
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
        en: '{{ $value | humanize }} calls of {{ $labels.target }} wait too long for their inspection result, or were given up in the last hour. Scores and rules lack these calls.',
        zh: '目标 {{ $labels.target }} 有 {{ $value | humanize }} 条通话等待质检结果过久，或在最近一小时内被放弃，得分与规则中缺少这些通话。',
      },
      title: { en: 'Inspection results are requested too slowly.', zh: '质检结果查询积压。' },
      means: {
        en: |||
          For half an hour, at least 20 calls have been waiting for their inspection result, the oldest of them for
          more than half of the lookback; or at least 20 calls were given up within an hour, because they left the
          lookback. A call that is given up is missing in scores and rules. Everything else is unaffected.
        |||,
        zh: |||
          半小时内，始终有至少 20 条通话等待查询质检结果，其中最早的已超过回溯窗口的一半；或一小时内至少有 20 条通话因离开
          回溯窗口而被放弃。被放弃的通话不计入得分与规则，其他指标不受影响。
        |||,
      },
      queries: [
        [{ en: 'Calls that wait', zh: '等待中的通话数' }, 'cec_exporter_results_pending'],
        [{ en: 'Age of the oldest, in seconds', zh: '最早一条已等待的秒数' }, 'time() - cec_exporter_results_oldest_pending_timestamp_seconds'],
        [{ en: 'Results an hour, by outcome', zh: '每小时的查询结果' }, 'increase(cec_exporter_results_total[1h])'],
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
          1. 请求大多成功：通话数超出 `results` 的 `max_requests_per_second`，请调大，或降低 `share`。计算平均值和占比时，
             十分之一的通话通常就够。
          2. 大量返回 429：云客服侧对该接口限流，请降低 `share`。
          3. 其他失败：运行 `cec_exporter check`，它会访问该接口。账号可能没有权限。
          4. 故障恢复后积压会自行消化，可从等待中的通话数看出。
        |||,
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
          `teams_file` was changed and cannot be read, or has a mistake. It is refused as a whole: calls count in
          the teams as they were before. With this file the exporter would not start.
        |||,
        zh: |||
          `teams_file` 已修改，但无法读取或有错误，整个文件不被采用，通话仍按原来的班组统计。若此时重启，exporter 将无法启动。
        |||,
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
          1. exporter 的日志指出行号和错误。
          2. 更正文件，下一次同步时会重新读取。
          3. 用 Excel 时请另存为“CSV UTF-8”。请一次性替换文件（先写入新文件再改名），以免 exporter 读到一半。
        |||,
      },
    },
  ]
