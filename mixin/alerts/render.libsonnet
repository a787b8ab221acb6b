// Rules and runbooks of the alerts, in the language of the configuration, and their Chinese index.
function(config)
  local text(translations) = std.rstripChars(translations[config.language], '\n');
  local words = {
    en: {
      means: 'What it means',
      affects: 'Who is affected',
      look: 'What to look at',
      todo: 'What to do',
      resolves: 'When it resolves',
      colon: ':',
    },
    zh: { means: '含义', affects: '影响', look: '查看', todo: '处理', resolves: '何时恢复', colon: '：' },
  }[config.language];
  local load(file) = (file)(config);
  local groups = [
    ['cec_exporter_alerts', load(import 'scraping.libsonnet') + load(import 'configuration.libsonnet') + load(import 'reading.libsonnet') + load(import 'limits.libsonnet')],
    ['cec_pipeline_alerts', load(import 'pipeline.libsonnet') + load(import 'failures.libsonnet')],
    ['cec_contact_centre_alerts', load(import 'contact-centre.libsonnet')],
    ['cec_quality_alerts', load(import 'quality.libsonnet')],
  ];
  local rule(alert) = {
    alert: alert.name,
    expr: std.rstripChars(alert.expr, '\n ') + '\n',
    'for': alert.hold,
    labels: { severity: alert.severity } + std.get(alert, 'labels', {}),
    annotations: {
      summary: text(alert.summary),
      description: text(alert.description),
      runbook_url: '%srunbooks/%s.md' % [config.runbookUrlPrefix, alert.name],
    },
  };
  local page(alert) = std.join('\n', [
    '# ' + alert.name,
    '',
    text(alert.title),
    '',
    '## ' + words.means,
    '',
    text(alert.means),
    '',
    '## ' + words.affects,
    '',
    text(alert.affects),
    '',
    '## ' + words.look,
    '',
  ] + std.flattenArrays([
    [text(query[0]) + words.colon, '', '```promql', query[1], '```', '']
    for query in alert.queries
  ]) + [
    '## ' + words.todo,
    '',
    text(alert.steps),
    '',
    '## ' + words.resolves,
    '',
    text(alert.resolves),
    '',
  ]);
  {
    groups: [{ name: group[0], rules: [rule(alert) for alert in group[1]] } for group in groups],
    index: (import 'index.libsonnet')(config, std.flattenArrays([group[1] for group in groups])),
    // Alerts of one name share a page.
    runbooks: std.foldl(
      function(pages, alert) pages { [alert.name + '.md']: page(alert) },
      std.flattenArrays([group[1] for group in groups]),
      {}
    ),
  }
