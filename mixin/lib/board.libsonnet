// A dashboard: variables, links, annotations, and panels laid out in lines.
// `name` is the uid of the board in English.
function(config, t, name)
  local q = (import 'promql.libsonnet')(config);
  local panels = (import 'panels.libsonnet')(t);
  local colours = import 'colours.libsonnet';
  local source = panels.source;
  local place = std.format('%s=~"$cluster", target=~"$target"', config.clusterLabel);
  // Of alerts: some concern no single target, or no single cluster.
  local concerned = std.format('%s=~"$cluster|", target=~"$target|"', config.clusterLabel);
  local by = std.format('%s, target', config.clusterLabel);
  local variable(name, label, description, query) = {
    type: 'query',
    name: name,
    label: t(label),
    description: t(description),
    datasource: source,
    definition: query,
    query: { query: query, refId: name },
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    // Series without the label are meant as well.
    allValue: '.*',
    current: { selected: true, text: [t('All')], value: ['$__all'] },
  };
  // Grafana asks for about a hundred moments, and joins those that are less than `step` apart to a region: at a
  // day they are a quarter of an hour apart. What is over before the next moment must not be missed, hence
  // the windows of $__interval in the queries.
  local annotation(name, expr, colour, title, text='', step) = {
    name: t(name),
    datasource: source,
    enable: true,
    hide: false,
    iconColor: colour,
    expr: expr,
    step: step,
    titleFormat: title,
    textFormat: text,
    useValueForTime: false,
  };
  // One region per alert, or per severity: regions lie on top of each other, and many would hide the graphs.
  local firing(name, severity, colour, title, label, step) = annotation(
    name,
    'max by (%s) (max_over_time(ALERTS{alertname=~"Cec.+", alertstate="firing", severity="%s", %s}[$__interval]))' % [label, severity, concerned],
    colour,
    title,
    step=step
  ) {
    // A notice may hold for days, and would tint every graph.
    enable: severity != 'info',
  };
  // Compared with the moment before: `changes` over a window does not see what changes between two windows.
  local cluster = '%s=~"$cluster"' % config.clusterLabel;
  local changed(metric) = '%s{%s} != last_over_time(%s{%s}[1h] offset $__interval)' % [metric, cluster, metric, cluster];
  local restart = changed('process_start_time_seconds') + ' and on (%s, job, instance) cec_exporter_build_info{%s}' % [config.clusterLabel, cluster];
  // Variables of single boards.
  local own = {
    'cec-contact-centre': ['call_type'],
    'cec-exporter': ['job'],
    'cec-pipeline': ['call_type'],
    'cec-quality': [],
    'cec-speech-quality': ['role', 'fast', 'slow'],
    'cec-summary': [],
  };
  // Of a board, with the values of the variables that both boards have: Grafana leaves one that is not there as a text.
  local address(to, target, range='${__url_time_range}') =
    local kept = ['runbooks'] + std.filter(function(variable) std.member(own[to], variable), own[name]);
    '/d/%s?%s' % [to + t('uid suffix'), std.join('&', ['${datasource:queryparam}', '${cluster:queryparam}', target]
                                                      + ['${%s:queryparam}' % variable for variable in kept]
                                                      + [range])];
  // Lines of panels, each [width, height, panel]; the height of a line is that of its first.
  local layout(lines, y=0, index=1) =
    if lines == [] then [] else
      local line = lines[0];
      local rest = lines[1:];
      if std.isString(line) then
        [{ type: 'row', title: t(line), collapsed: false, panels: [], id: index, gridPos: { x: 0, y: y, w: 24, h: 1 } }]
        + layout(rest, y + 1, index + 1)
      else if std.isObject(line) then
        [{
          type: 'row',
          title: t(line.row),
          collapsed: true,
          id: index,
          gridPos: { x: 0, y: y, w: 24, h: 1 },
          panels: layout(line.lines, y + 1, index + 1),
        }] + layout(rest, y + 1, index + 100)
      else
        std.mapWithIndex(function(i, item) item[2] {
          id: index + i,
          gridPos: {
            x: std.foldl(function(x, before) x + before[0], line[0:i], 0),
            y: y,
            w: item[0],
            h: item[1],
          },
        }, line) + layout(rest, y + line[0][1], index + std.length(line));
  local processing = 'cec_call_processing_seconds';
  {
    q:: q,
    p:: panels,
    t:: t,
    place:: place,
    by:: by,
    on:: 'on (%s)' % by,
    // Legend of a target. Without a label of the cluster its name stands alone.
    who:: '{{%s}} {{target}}' % config.clusterLabel,
    // What is counted while a gap is caught up says nothing of that moment.
    steady(expr)::
      '%s unless on (%s) (max by (%s) (deriv(cec_exporter_frontier_timestamp_seconds{%s}[$__rate_interval])) > 1.5)'
      % [expr, by, by, place],
    // As the alert judges it: overdue are more than came within the hour and than usually lag behind.
    overdue(s):: |||
      clamp_min(
        %(pending)s
          - on (%(by)s, call_type) group_left ()
        (
          sum by (%(by)s, call_type) (%(recent)s)
            +
          %(stragglers)s * (%(day)s)
        ),
        0
      )
    ||| % {
      by: by,
      pending: 'sum by (%s, call_type, status) (%s)' % [by, q.one('cec_window_calls{%s, %s}' % [s, q.pending])],
      recent: q.one('cec_recent_calls{%s}' % s),
      stragglers: '(1 - %g)' % config.thresholds.processing_objective,
      day: q.larger(
        'sum by (%s, call_type) (%s)' % [by, q.one('increase(cec_calls_total{%s}[1d])' % s)],
        'sum by (%(by)s, call_type) (%(window)s) * on (%(by)s) group_left () clamp_max(86400 / max by (%(by)s) (cec_window_seconds{%(place)s}), 1)' % {
          by: by,
          window: q.one('cec_window_calls{%s}' % s),
          place: place,
        }
      ),
    },
    // Share of calls that were processed in time. What is overdue, or left the lookback unfinished, is late;
    // `sum` adds up as is wanted.
    inTime(sum, s, range)::
      local finished = sum(q.one(q.count(processing, s, range, 'increase')));
      q.ratio(
        sum('sum without (le) (%s)' % q.one(q.upTo(processing, s, config.processingLimit, range, 'increase'))),
        '(%(f)s + (%(overdue)s or 0 * %(f)s) + (%(expired)s or 0 * %(f)s))' % {
          f: finished,
          overdue: sum($.overdue(s)),
          expired: sum(q.one('increase(cec_calls_expired_total{%s}[%s])' % [s, range])),
        }
      ),
    // Targets that had data of any of these series in the hour before a moment. Each is a function and a
    // selector: an imported history has calls only, and counters are looked at through their increase.
    present(series, offset):: std.join(' or ', [
      'count by (%s) (%s(%s[1h] offset %s))' % [by, one[0], one[1], offset]
      for one in series
    ]),
    // To a board, with all that is selected; `range` is another range of time.
    drill(title, to, range='${__url_time_range}'):: { title: t(title), url: address(to, '${target:queryparam}', range) },
    // With the target of a row, or of the cell.
    ofRow(title, to):: { title: t(title), url: address(to, 'var-target=${__data.fields["%s"]:percentencode}' % t('Target')) },
    ofCell(title, to, range='${__url_time_range}'):: { title: t(title), url: address(to, 'var-target=${__value.raw:percentencode}', range) },
    toPipeline:: $.drill('Pipeline dashboard', 'cec-pipeline'),

    // At the top of each board.
    health::
      local rowInPipeline = $.ofRow('Pipeline dashboard', 'cec-pipeline');
      local one(expr) = 'max by (%s) (%s)' % [by, expr];
      local up = 'cec_up{%s}' % place;
      panels.table('Targets', 'One row per target reported within the last hour. Overdue calls exceed those of the last hour and the usual stragglers. Click a name to select the target.', [
        {
          name: 'State',
          // Up, down, not yet pulled, or not reported any more.
          expr: |||
            (%(up)s == 0 unless sum by (%(by)s) (cec_exporter_pull_failures_total{%(s)s}) > 0) + 2
              or
            %(up)s
              or
            0 * %(seen)s - 1
          ||| % { up: one(up), by: by, s: place, seen: one('last_over_time(cec_up{%s}[1h])' % place) },
          mappings: panels.mapping([['1', 'up', 'green'], ['0', 'down', 'red'], ['2', 'loading', 'blue'], ['-1', 'not reported', 'dark-red']]),
          colours: [panels.step('red', -1), panels.step('green', 1), panels.step('blue', 2)],
          links: [$.ofRow('Exporter dashboard', 'cec-exporter')],
        },
        {
          name: 'Lag',
          expr: 'time() - ' + one('cec_exporter_frontier_timestamp_seconds{%s}' % place),
          unit: 's',
          decimals: 0,
          colours: [panels.step('green', 0), panels.step('orange', 300), panels.step('red', config.thresholds.frontier_lag_seconds)],
        },
        {
          name: 'Main failure, 1 h',
          label: 'reason',
          // Of the title and the longest reasons, which would be cut off.
          width: 140,
          mappings: panels.mapping([
            [reason, reason, 'text']
            for reason in std.objectFields(colours.reason)
          ]),
          expr: 'topk by (%s) (1, sum by (%s, reason) (increase(cec_exporter_pull_failures_total{%s}[1h])) > 0)' % [by, by, place],
        },
        {
          name: 'Calls, 1 h',
          expr: 'sum by (%s) (%s)' % [by, q.one('cec_recent_calls{%s}' % place)],
          unit: 'locale',
        },
        {
          name: 'Backlog',
          expr: 'sum by (%s) (%s)' % [by, q.one('cec_window_calls{%s, %s}' % [place, q.pending])],
          unit: 'locale',
          links: [rowInPipeline],
        },
        {
          name: 'Overdue',
          expr: 'sum by (%s) (%s)' % [by, $.overdue(place)],
          unit: 'locale',
          decimals: 0,
          colours: [panels.step('green', 0), panels.step('orange', 1), panels.step('red', config.thresholds.pending_calls)],
          links: [rowInPipeline],
        },
        {
          name: 'Failed, 1 h',
          expr: q.ratio(
            'sum by (%s) (%s)' % [by, q.one('increase(cec_calls_processed_total{%s, status!="succeeded"}[1h])' % place)],
            'sum by (%s) (%s)' % [by, q.one('increase(cec_calls_processed_total{%s}[1h])' % place)]
          ),
          unit: 'percentunit',
          width: 100,
          decimals: 1,
          colours: [panels.step('green', 0), panels.step('orange', config.thresholds.failed_ratio / 2), panels.step('red', config.thresholds.failed_ratio)],
          links: [rowInPipeline],
        },
      ], [[config.clusterLabel, 'Cluster'], ['target', 'Target', [panels.linksTo([$.ofCell('Only this target', name)])]]], none='no exporter', sort='State', descending=false),

    alerts::
      local firing = 'ALERTS{alertname=~"Cec.+", alertstate="firing", %s' % concerned;
      local ofSeverity(number, severity) = '%d * max by (alertname, severity, %s) (%s, severity="%s"})' % [number, by, firing, severity];
      panels.table('Firing alerts', 'Alerts of the selected targets, and alerts that concern no single target. Click an alert to open its runbook at the address chosen above.', [
        // Numbers, because words would be sorted by their letters.
        {
          name: 'Severity',
          first: true,
          expr: std.join(' or ', [ofSeverity(1, 'critical'), ofSeverity(2, 'warning'), ofSeverity(3, 'info')]),
          width: 75,
          mappings: panels.mapping([['1', 'critical', 'red'], ['2', 'warning', 'orange'], ['3', 'info', 'blue']]),
          properties: [{ id: 'custom.align', value: 'left' }] + panels.cells('color-text'),
        },
        {
          name: 'Since',
          expr: 'max by (alertname, severity, %(by)s) (1000 * ALERTS_FOR_STATE{alertname=~"Cec.+", %(concerned)s}) and on (alertname, severity, %(by)s) %(firing)s}' % { by: by, concerned: concerned, firing: firing },
          unit: 'dateTimeFromNow',
          width: 125,
        },
      ], [['alertname', 'Alert', [panels.linksTo([{
        title: t('Runbook'),
        url: '${runbooks}runbooks/${__value.raw:percentencode}.md',
        targetBlank: true,
      }])]], [config.clusterLabel, 'Cluster', [panels.width(75)]], ['target', 'Target', [panels.width(90)]]], none='no alert fires, or the rules are not loaded', sort='Severity', descending=false, leftOut=['severity']),

    guide:: panels.text('Terms', 'The terms used on these dashboards.', t('guide')),

    make(title, description, lines, variables=[], time='now-24h'):: {
      assert own[name] == [variable.name for variable in self.templating.list if !std.member(['datasource', 'cluster', 'target', 'runbooks'], variable.name)]
             : name + ' has other variables than its links say',
      // A little longer than the moments of the usual range are apart.
      local step = if time == 'now-7d' then '2h' else '15m',
      uid: name + t('uid suffix'),
      title: t(title),
      description: t(description),
      tags: ['cec' + t('uid suffix')],
      editable: true,
      graphTooltip: 1,
      refresh: '1m',
      schemaVersion: 37,
      time: { from: time, to: 'now' },
      timezone: 'browser',
      links: [{
        type: 'dashboards',
        title: t('Dashboards'),
        tags: ['cec' + t('uid suffix')],
        asDropdown: false,
        includeVars: true,
        keepTime: true,
        targetBlank: false,
        icon: 'external link',
        tooltip: '',
        url: '',
      }],
      annotations: { list: [
        firing('Critical alerts', 'critical', 'red', '{{alertname}}', 'alertname', step),
        firing('Warnings', 'warning', 'orange', t('Warnings'), 'severity', step),
        firing('Notices', 'info', 'blue', t('Notices'), 'severity', step),
        annotation('Restart', restart, 'purple', t('Restart'), '{{instance}}', '5m'),
        annotation('Configuration loaded', changed('cec_exporter_config_last_reload_success_timestamp_seconds'), 'blue', t('Configuration loaded'), '{{instance}}', '5m'),
        annotation('List not read', 'max by (%s) (max_over_time((time() - cec_exporter_frontier_timestamp_seconds{%s})[$__interval:1m])) > 300' % [by, place], 'yellow', t('List not read'), '{{%s}} {{target}}' % config.clusterLabel, step),
      ] },
      templating: { list: [
        {
          type: 'datasource',
          name: 'datasource',
          label: t('Data source'),
          description: t('The Prometheus that stores the metrics of the exporter.'),
          query: 'prometheus',
          current: {},
          refresh: 1,
        },
        variable('cluster', 'Cluster', 'The Kubernetes cluster or site, if Prometheus has several.', 'label_values(cec_up, %s)' % config.clusterLabel),
        variable('target', 'Target', 'Contact centres, by their names in the configuration of the exporter.', 'label_values(cec_up{%s=~"$cluster"}, target)' % config.clusterLabel),
      ] + (if std.member(own[name], 'call_type') then [
             variable('call_type', 'Call type', 'Voice or text.', 'label_values(cec_window_calls{%s}, call_type)' % place),
           ] else []) + variables + [{
        type: 'textbox',
        name: 'runbooks',
        label: t('Runbooks at'),
        description: t('Address in front of runbooks/ in the links of the alerts.'),
        query: config.runbookUrlPrefix,
        current: { text: config.runbookUrlPrefix, value: config.runbookUrlPrefix },
      }] },
      panels: layout(lines),
    },
    variable:: variable,
  }
