// Whether exporters, shards and thresholds are configured as they should be.
function(config)
  local q = (import '../lib/promql.libsonnet')(config);
  [
    {
      name: 'CecTargetPulledTwice',
      severity: 'warning',
      hold: '15m',
      expr: 'target:cec_up:count ' + q.above('exporters_per_target'),
      summary: {
        en: '{{ $value }} exporters pull {{ $labels.target }}.',
        zh: '有 {{ $value }} 个 exporter 在同步目标 {{ $labels.target }}。',
      },
      description: {
        en: '{{ $value }} exporters have been pulling {{ $labels.target }} for 15 minutes. Each sends its own requests. The bundled rules and dashboards count every call once.',
        zh: '{{ $value }} 个 exporter 同步目标 {{ $labels.target }} 已达 15 分钟，请求量成倍增加。自带的规则和仪表盘不会重复计数。',
      },
      title: { en: 'More exporters than intended pull a target.', zh: '同步同一目标的 exporter 过多。' },
      means: {
        en: |||
          More than `cec:exporters_per_target:threshold` exporters have had the same target in their
          configuration for 15 minutes.
        |||,
        zh: |||
          15 分钟以来，配置了同一目标的 exporter 超过 `cec:exporters_per_target:threshold` 个。
        |||,
      },
      affects: {
        en: 'All targets that share the `app_key`: each exporter sends its own requests, which count against the vendor\'s limit. The bundled rules and dashboards use one exporter\'s numbers; your own queries may count calls twice.',
        zh: '使用同一 app_key 的全部目标都受影响：每个 exporter 各自发送请求，共同消耗云客服侧的限流额度。自带的规则和仪表盘只取其中一份；自行编写的求和查询可能重复计数。',
      },
      queries: [
        [{ en: 'Exporters of each target', zh: '各目标由哪些 exporter 同步' }, 'count by (target, job, instance) (cec_up)'],
        [{ en: 'Ordinals of the shards', zh: '各 exporter 的分片序号' }, 'cec_exporter_shard_ordinal'],
        [{ en: 'Number of shards, by exporter', zh: '各 exporter 配置的分片总数' }, 'cec_exporter_total_shards'],
      ],
      steps: {
        en: |||
          1. Two exporters with the same ordinal: set a different `--shard` for each.
          2. Different values of `cec_exporter_total_shards`: restart the exporters with the old number.
          3. Exporters without shards that share a configuration: remove the target from one of them.
          4. Two exporters on purpose: raise `cec:exporters_per_target:threshold` to 2.
        |||,
        zh: |||
          1. 两个 exporter 序号相同：为各自指定不同的 `--shard`。
          2. `cec_exporter_total_shards` 不一致：重启仍使用旧值的 exporter。
          3. 未分片却共用一份配置：从其中一份配置中移除该目标。
          4. 有意部署两份：将 `cec:exporters_per_target:threshold` 调为 2。
        |||,
      },
      resolves: {
        en: 'As soon as the other exporter no longer reports the target.',
        zh: '多余的 exporter 不再上报该目标后立即恢复。',
      },
    },
    {
      name: 'CecShardMissing',
      severity: 'critical',
      hold: '15m',
      expr: (
        local shards = std.join(', ', std.filter(function(label) label != 'job', config.copyLabels));
        |||
          job:cec_exporter_shard_ordinal:count
            < max without (%(l)s) (cec_exporter_total_shards)
            or
          job:cec_exporter_shard_ordinal:count and (
            min without (%(l)s) (cec_exporter_total_shards)
              < max without (%(l)s) (cec_exporter_total_shards)
          )
        ||| % { l: shards }
      ),
      summary: {
        en: 'The shards of {{ $labels.job }} do not cover all targets.',
        zh: '{{ $labels.job }} 的分片未覆盖全部目标。',
      },
      description: {
        en: '{{ $value }} different shards of {{ $labels.job }} respond. One is missing, or they disagree on the number of shards. Some targets may not be pulled.',
        zh: '{{ $labels.job }} 有 {{ $value }} 个不同的分片有响应：缺少分片，或各分片配置的总数不一致。部分目标可能无人同步。',
      },
      title: { en: 'Some targets may not be pulled by any exporter.', zh: '部分目标可能无人同步。' },
      means: {
        en: |||
          The exporters of one job (in Kubernetes, of one namespace) divide their targets by `--total-shards`.
          For 15 minutes, fewer shards have responded than there should be, or they have disagreed on their
          number.
        |||,
        zh: |||
          同一 job（Kubernetes 中为同一命名空间）的 exporter 按 `--total-shards` 分担目标。15 分钟以来，有响应的分片少于总数，或各分片配置的总数不一致。
        |||,
      },
      affects: {
        en: 'The targets of the missing shard: they have no metrics, so no other alert reports them. While shards disagree, a target may be pulled twice or not at all.',
        zh: '缺失分片所负责的目标没有任何指标，其他告警也发现不了。总数不一致期间，同一目标可能被同步两次，也可能无人同步。',
      },
      queries: [
        [{ en: 'Shards that respond', zh: '有响应的分片' }, 'cec_exporter_shard_ordinal'],
        [{ en: 'Number of shards, by exporter', zh: '各分片配置的总数' }, 'cec_exporter_total_shards'],
        [{ en: 'Exporters that cannot be scraped', zh: '无法抓取的 exporter' }, 'up == 0 and on (job, instance) last_over_time(cec_exporter_build_info[1d])'],
      ],
      steps: {
        en: |||
          1. An exporter is down: see [CecExporterDown](CecExporterDown.md).
          2. Fewer exporters than shards: start the missing ones, or correct `--total-shards`. In a StatefulSet
             it must equal the number of replicas.
          3. The shards disagree: restart those with the old number. A target that moves to another shard starts
             there with a new ledger.
          4. Two unrelated groups in one job: use a separate job or namespace for each.
        |||,
        zh: |||
          1. 有 exporter 不可用：见 [CecExporterDown](CecExporterDown.md)。
          2. exporter 少于分片总数：启动缺少的 exporter，或更正 `--total-shards`。在 StatefulSet 中，它必须等于副本数。
          3. 总数不一致：重启仍使用旧值的 exporter。目标移到另一分片后，会在那里新建台账。
          4. 两组互不相干的 exporter 在同一 job 中：为它们分别使用不同的 job 或命名空间。
        |||,
      },
      resolves: {
        en: 'Once all shards respond and agree on their number.',
        zh: '所有分片都有响应、且总数一致后。',
      },
    },
    {
      name: 'CecConfigReloadFailed',
      severity: 'warning',
      hold: '5m',
      expr: 'cec_exporter_config_last_reload_successful == 0',
      summary: {
        en: 'The CEC exporter {{ $labels.instance }} could not load its configuration.',
        zh: 'CEC exporter {{ $labels.instance }} 加载配置失败。',
      },
      description: {
        en: 'The last reload of the configuration of {{ $labels.instance }} failed (cec_exporter_config_last_reload_successful is {{ $value }}). The exporter still uses the previous configuration.',
        zh: '{{ $labels.instance }} 最近一次加载配置失败（cec_exporter_config_last_reload_successful 为 {{ $value }}），仍在使用之前的配置。',
      },
      title: { en: 'The exporter could not load its configuration.', zh: 'exporter 加载配置失败。' },
      means: {
        en: |||
          The last reload of the configuration failed, and the exporter still uses the previous configuration.
        |||,
        zh: |||
          最近一次加载配置失败，exporter 仍在使用之前的配置。
        |||,
      },
      affects: {
        en: 'Nothing stops, but the changes are not in effect, such as a new secret, and the exporter would not start again with this file.',
        zh: '运行不受影响，但改动（例如新的密钥）没有生效；若此时重启，exporter 将无法启动。',
      },
      queries: [
        [{ en: 'Affected exporters', zh: '受影响的 exporter' }, 'cec_exporter_config_last_reload_successful == 0'],
        [{ en: 'Age of the current configuration, in seconds', zh: '当前配置已使用的秒数' }, 'time() - cec_exporter_config_last_reload_success_timestamp_seconds'],
      ],
      steps: {
        en: |||
          1. Run `cec_exporter check --config.file=...` with the same file. It reports the error in one line, with
             path, line and column. The status page shows it too.
          2. Correct it and reload: `systemctl reload cec_exporter`, SIGHUP, or `curl -X POST .../-/reload` if
             `--web.enable-lifecycle` is set.
        |||,
        zh: |||
          1. 用同一配置文件运行 `cec_exporter check --config.file=...`，错误以一行给出，含路径、行号、列号；状态页上也有。
          2. 更正后重新加载：`systemctl reload cec_exporter`、发送 SIGHUP，或（启用了 `--web.enable-lifecycle` 时）`curl -X POST .../-/reload`。
        |||,
      },
      resolves: {
        en: 'With the next successful reload, or a restart with a correct file.',
        zh: '下一次加载成功后，或用正确的配置重启后。',
      },
    },
    {
      name: 'CecThresholdMissing',
      severity: 'warning',
      hold: '5m',
      expr: std.join('or\n', [
        'label_replace(absent(cec:%s:threshold), "threshold", "cec:%s:threshold", "", "")\n  ' % [name, name]
        for name in std.objectFields(config.thresholds)
      ]),
      summary: {
        en: 'The threshold {{ $labels.threshold }} is not defined.',
        zh: '阈值 {{ $labels.threshold }} 未定义。',
      },
      description: {
        en: 'Prometheus has no series {{ $labels.threshold }}. The alerts that use it cannot fire.',
        zh: 'Prometheus 中没有 {{ $labels.threshold }} 序列，依赖它的告警不会触发。',
      },
      title: { en: 'A threshold is not defined.', zh: '阈值未定义。' },
      means: {
        en: |||
          The alerts compare with thresholds, which `thresholds.rules.yml` records as series. The one in the alert is
          missing: the file is not loaded, or the rule was removed from it.
        |||,
        zh: |||
          告警所比较的阈值由 `thresholds.rules.yml` 记录为序列。告警中的阈值缺失：该文件未加载，或其中的规则已被删除。
        |||,
      },
      affects: {
        en: 'The alerts that use this threshold: they cannot fire.',
        zh: '使用该阈值的告警不会触发。',
      },
      queries: [
        [{ en: 'Whether the file is loaded: three of its thresholds', zh: '文件是否已加载（以其中三个阈值为例）' }, 'cec:frontier_lag_seconds:threshold or cec:failed_ratio:threshold or cec:dried_up_ratio:threshold'],
      ],
      steps: {
        en: |||
          1. On the Rules page of Prometheus, check that the group `cec_thresholds` exists and is healthy.
          2. Load `thresholds.rules.yml` of the same version as `alerts.rules.yml`.
          3. If a threshold is defined several times, the strictest value applies.
        |||,
        zh: |||
          1. 在 Prometheus 的 Rules 页面确认规则组 `cec_thresholds` 存在且状态正常。
          2. 加载与 `alerts.rules.yml` 同版本的 `thresholds.rules.yml`。
          3. 同一阈值定义了多次时，以最严格的为准。
        |||,
      },
      resolves: {
        en: 'At the next evaluation after the rule is loaded.',
        zh: '规则加载后的下一次计算时。',
      },
    },
  ]
