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
    - 抓取间隔不要超过 2 分钟：`CecProcessingSlow` 使用 5 分钟的窗口，窗口内至少要有两个采样。
    - `CecScoreFalling`、`CecRuleViolatedSuddenly`、`CecResultsBacklog` 和 `CecTeamsFileRejected` 只在启用[班组或质检结果](../../../docs/quality.zh-CN.md)后触发。

    “按时”是服务目标（SLO）：95%% 的通话在上传后 30 分钟内完成质检，不论结果。`CecProcessingSlow` 按错误预算的消耗速度告警：一小时内达 14.4 倍或六小时内达 6 倍为严重，一天内达 3 倍或三天内达 1 倍为警告。exporter 未观察到完成时刻的通话不计入。

    ## 阈值

    同一阈值定义了多次时，以最严格的为准；缺失时触发 `CecThresholdMissing`。仪表盘不读取这些序列：要改变其颜色、阈值线和超期通话数，请修改 [mixin](../../../mixin/README.md) 中的 `thresholds` 并重新生成。

    | 序列 | 值 | 含义 |
    | --- | --- | --- |
    %s

    “语速快”（每分钟 300 字以上）和“按时”（1800 秒以内）取自直方图的桶边界，要在 `mixin/config.libsonnet` 中修改。

    ## 多个 exporter、任务和集群

    - 规则会去掉区分副本的标签（`job`、`instance`、`pod`、`container`、`endpoint`、`service`、`node`、`prometheus_replica`）。两个 exporter 同步同一目标时，规则只取其中一份；两边都失败才算目标不可用。
    - 其他标签（如 `cluster`、`namespace`）保留：两个集群中同名的目标是两个目标。
    - 有意让两个 exporter 同步同一目标时，把 `cec:exporters_per_target:threshold` 设为 2，否则每个目标都会触发 `CecTargetPulledTwice`。
    - 分片按 `job` 和所在位置计数：两组分片要使用不同的 job、命名空间或集群。

    ## 不保存台账时

    使用 `--storage.in-memory` 的 exporter 重启后会把整个回溯窗口重新计数，`rate()` 会把这些通话当作新通话。预聚合规则不计重启后的一小时，仪表盘上则会出现尖峰。

    ## VictoriaMetrics

    VictoriaMetrics 没有原生直方图，会拒绝相应的函数。请用 `nativeHistograms: false` [生成](../../../mixin/README.md)规则和仪表盘，结果与 Prometheus 相同。
  ||| % [std.join('\n', std.map(row, names)), std.join('\n', std.map(threshold, thresholds))]
