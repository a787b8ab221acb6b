// The Chinese page about the rules; in English, deploy/prometheus/README.md is written by hand.
local zh = import '../text/zh.libsonnet';
local thresholds = import '../thresholds.libsonnet';
function(config, alerts)
  // Alerts of one name share a row; the first of them is the most severe one.
  local names = std.foldl(
    function(seen, alert) if std.member(seen, alert.name) then seen else seen + [alert.name],
    alerts,
    []
  );
  local row(name) =
    local all = std.filter(function(alert) alert.name == name, alerts);
    local severities = std.foldl(
      function(seen, word) if std.member(seen, word) then seen else seen + [word],
      [zh[alert.severity] for alert in all],
      []
    );
    '| [%s](runbooks/%s.md) | %s | %s | %s |' % [
      name,
      name,
      std.join('、', severities),
      std.rstripChars(all[0].title.zh, '。'),
      std.join('、', [alert.hold for alert in all]),
    ];
  local threshold(entry) =
    '| `cec:%s:threshold` | %g | %s |' % [entry[0], config.thresholds[entry[0]], std.rstripChars(entry[1].zh, '。')];
  |||
    # 告警规则与处理手册

    [English](../README.md)

    | 文件 | 内容 |
    | --- | --- |
    | `thresholds.rules.yml` | 告警所比较的全部阈值，需要调整时只改此文件 |
    | `recording.rules.yml` | 告警使用的预聚合序列，也适合长期存储 |
    | `alerts.rules.yml` | 告警 |
    | `runbooks/` | 每个告警一页处理手册：含义、影响、查看、处理、何时恢复 |

    把三个规则文件复制到 Prometheus 的 `rule_files` 所指的目录，中英文规则只加载一种。
    抓取配置示例见 [prometheus.yml](../prometheus.yml)，Alertmanager 的路由与抑制示例见 [alertmanager.yml](../alertmanager.yml)。
    多个 exporter、多集群、VictoriaMetrics 等说明见[英文版](../README.md)。

    `runbook_url` 默认为相对路径。要让告警中的链接可以点击，请加上发布处理手册的地址：

    ```sh
    sed -i 's|runbook_url: "|&https://wiki.example.com/cec/|' alerts.rules.yml
    ```

    ## 告警

    | 告警 | 级别 | 含义 | 持续多久后触发 |
    | --- | --- | --- | --- |
    %s

    - 首次启动、重启、夜间没有通话时，都不会误报。
    - 一次故障可能触发多个告警。使用 `alertmanager.yml` 中的 `inhibit_rules` 后，只通知根因。
    - 法定节假日会触发 `CecCallsDriedUp`，请像 `alertmanager.yml` 那样在 `mute_time_intervals` 中列出。
    - `CecScoreFalling`、`CecRuleViolatedSuddenly`、`CecResultsBacklog` 和 `CecTeamsFileRejected` 只在启用[班组或质检结果](../../../docs/quality.zh-CN.md)后触发。

    ## 阈值

    同一阈值定义了多次时，以最严格的为准；缺失时触发 `CecThresholdMissing`。

    | 序列 | 值 | 含义 |
    | --- | --- | --- |
    %s
  ||| % [std.join('\n', std.map(row, names)), std.join('\n', std.map(threshold, thresholds))]
