// The files of rules, by name; `config` says which.
(import 'config.libsonnet') + {
  local config = $.config,
  local alerts = (import 'alerts/render.libsonnet')(config),
  local header = {
    en: '# Generated from mixin/. Change the source there and run mixin/generate.\n',
    zh: '# 由 mixin/ 生成，请修改源文件后运行 mixin/generate。\n',
  }[config.language],
  local yaml(value) = header + std.manifestYamlDoc(value, indent_array_in_object=true, quote_keys=false) + '\n',
  local intro = {
    en: |||
      # Every number that the alerts compare with, once, as a series. Change numbers here: the alerts follow. The
      # colours and lines of the dashboards are generated with the numbers of mixin/config.libsonnet. An alert whose
      # threshold is missing cannot fire; CecThresholdMissing says so.
    |||,
    zh: |||
      # 告警所比较的全部数值，各为一个序列。修改此处即对告警生效；仪表盘的颜色和阈值线在生成时取自 mixin/config.libsonnet。
      # 缺少阈值的告警不会触发，此时由 CecThresholdMissing 告警。
    |||,
  }[config.language],
  local thresholds = import 'thresholds.libsonnet',
  local numbers = config.thresholds,
  assert std.set([entry[0] for entry in thresholds]) == std.objectFields(numbers)
         : 'config.thresholds and thresholds.libsonnet name different thresholds',

  rules:: {
    'thresholds.rules.yml': header + intro + 'groups:\n  - name: cec_thresholds\n    rules:\n' + std.join('', [
      '      # %s\n      - record: cec:%s:threshold\n        expr: vector(%g)\n'
      % [entry[1][config.language], entry[0], numbers[entry[0]]]
      for entry in thresholds
    ]),
    'recording.rules.yml': yaml((import 'recording.libsonnet')(config)),
    'alerts.rules.yml': yaml({ groups: alerts.groups }),
  },
  runbooks:: alerts.runbooks,
  chineseIndex:: alerts.index,

  local t = (import 'text/translate.libsonnet')(config.language),
  local board(make) = std.manifestJsonEx(make(config, t), '  ') + '\n',
  dashboards:: {
    'contact-centre.json': board(import 'dashboards/contact-centre.libsonnet'),
    'exporter.json': board(import 'dashboards/exporter.libsonnet'),
    'pipeline.json': board(import 'dashboards/pipeline.libsonnet'),
    'quality.json': board(import 'dashboards/quality.libsonnet'),
    'speech-quality.json': board(import 'dashboards/speech-quality.libsonnet'),
    'summary.json': board(import 'dashboards/summary.libsonnet'),
  },
}
