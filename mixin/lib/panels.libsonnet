// Panels of Grafana. `t` gives a text in the language of the configuration.
function(t)
  local colours = import 'colours.libsonnet';
  local source = { type: 'prometheus', uid: '${datasource}' };
  local fixed(colour) = { id: 'color', value: { mode: 'fixed', fixedColor: colour } };
  local named(name, properties) = { matcher: { id: 'byName', options: name }, properties: properties };
  local like(pattern, properties) = { matcher: { id: 'byRegexp', options: pattern }, properties: properties };
  local dashes = { id: 'custom.lineStyle', value: { fill: 'dash', dash: [6, 6] } };
  // Colour and name of each known value of a label, where a legend has that label and no other. Of several
  // legends with one label, those after the first are dashed.
  local known(legends) =
    local all = std.join(' ', legends);
    std.flattenArrays([
      local label = '{{%s}}' % kind;
      local others(legend) = std.findSubstr('{{', std.strReplace(legend, label, ''));
      local of = [legend for legend in legends if std.length(std.findSubstr(label, legend)) > 0 && others(legend) == []];
      [
        named(std.strReplace(of[i], label, value),
              [fixed(colours[kind][value])]
              + (if t(value) == value then [] else [{ id: 'displayName', value: std.strReplace(of[i], label, t(value)) }])
              + (if of[i] != of[0] then [dashes, { id: 'custom.fillOpacity', value: 0 }] else []))
        for i in std.range(0, std.length(of) - 1)
        if i == 0 || of[i] != of[0]
        for value in std.objectFields(colours[kind])
      ]
      for kind in ['status', 'call_type', 'role', 'reason', 'outcome']
      if std.length(std.findSubstr('{{%s}}' % kind, all)) > 0
    ]) + [
      named(t(legend), [fixed(colours.quantile[legend])])
      for legend in std.objectFields(colours.quantile)
      if std.member(legends, t(legend))
    ] + (if std.length(std.findSubstr('{{status}}', all)) > 0 then [like('unknown.*', [fixed(colours.unknown)])] else [])
    + (if std.length(std.findSubstr(t('a week before'), all)) > 0 then [
         named(t('a week before'), [
           fixed(colours.past),
           dashes,
           { id: 'custom.fillOpacity', value: 0 },
           { id: 'custom.stacking', value: { mode: 'none', group: 'B' } },
         ]),
       ] else []);
  // Translates a value at the end of legends that also name a target: their whole names are not known here.
  local renamed(values) = [
    { id: 'renameByRegex', options: { regex: '(.*) ' + value, renamePattern: '$1 ' + t(value) } }
    for value in values
    if t(value) != value
  ];
  local steps(list) = { mode: 'absolute', steps: [{ color: 'text', value: null }] + list };
  // A cell without a value would be filled with the colour of text.
  local stepsOfCells(list) = { mode: 'absolute', steps: [{ color: 'transparent', value: null }] + list };
  local panel(type, title, description) = {
    type: type,
    title: t(title),
    description: t(description),
    datasource: source,
  };
  local unitOf(unit) = if std.startsWith(unit, 'suffix:') then 'suffix:' + t(std.substr(unit, 7, 99)) else unit;
  {
    source:: source,
    // Steps of thresholds above a neutral base, so that a value that is not there has no colour.
    good:: [{ color: 'green', value: -1e9 }],
    step(colour, value):: { color: colour, value: value },

    query(expr, legend='', refId='A'):: {
      refId: refId,
      datasource: source,
      expr: expr,
      legendFormat: legend,
    },

    // One figure of this moment: an instant query.
    stat(title, description, expr, unit='short', colours=[], none='no data', decimals=null, mappings=[], legend='', links=[], interval=null)::
      panel('stat', title, description) {
        targets: [self.q],
        q:: $.query(expr, legend) { instant: true, range: false },
        fieldConfig: {
          defaults: {
            unit: unitOf(unit),
            [if decimals != null then 'decimals']: decimals,
            noValue: t(none),
            color: { mode: 'thresholds' },
            thresholds: steps(colours),
            mappings: mappings,
            links: links,
          },
          overrides: if legend == '' then [] else [
            override { properties: std.filter(function(p) p.id == 'displayName', override.properties) }
            for override in known([legend])
            if std.length(std.filter(function(p) p.id == 'displayName', override.properties)) > 0
          ],
        },
        options: {
          colorMode: 'value',
          graphMode: 'none',
          justifyMode: 'auto',
          orientation: 'auto',
          textMode: if legend == '' then 'value' else 'value_and_name',
          reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
        },
      },

    // `queries` is a list of [expr, legend]. Rates are over 5 minutes at least, shares and quantiles over
    // `interval`. Seconds to be shown in the unit "min" are divided by 60: the axis of Grafana's own unit of
    // time has steps of 1000 seconds, which read 16.7 minutes. Legends may end in one of `values`.
    graph(title, description, queries, unit='short', interval='5m', stack=false, max=null, min=0, decimals=null, limits=[], links=[], none='no data', overrides=[], values=[])::
      panel('timeseries', title, description) {
        interval: interval,
        [if renamed(values) != [] then 'transformations']: renamed(values),
        targets: [
          $.query(if unit == 'min' then '(%s) / 60' % queries[i][0] else queries[i][0], queries[i][1], std.char(65 + i))
          for i in std.range(0, std.length(queries) - 1)
        ],
        fieldConfig: {
          defaults: {
            unit: if unit == 'min' then unitOf('suffix: min') else unitOf(unit),
            min: min,
            [if max != null then 'max']: max,
            [if decimals != null || unit == 's' || unit == 'min' then 'decimals']: if decimals != null then decimals else 1,
            [if unit == 'percentunit' && min != null then 'max']: 1,
            // Without noValue, which Grafana would write at ticks of the axis.
            color: { mode: 'palette-classic' },
            links: links,
            thresholds: steps([if unit == 'min' then limit { value: limit.value / 60 } else limit for limit in limits]),
            custom: {
              drawStyle: 'line',
              lineWidth: 1,
              fillOpacity: if stack then 40 else 8,
              showPoints: 'never',
              spanNulls: false,
              axisSoftMax: if unit == 'percentunit' then null else 1,
              stacking: { mode: if stack then 'normal' else 'none', group: 'A' },
              thresholdsStyle: { mode: if limits == [] then 'off' else 'dashed' },
            },
          },
          overrides: known([query[1] for query in queries]) + overrides,
        },
        options: {
          legend: {
            showLegend: true,
            displayMode: 'table',
            placement: 'right',
            calcs: ['lastNotNull', 'max'],
            sortBy: 'Max',
            sortDesc: true,
          },
          tooltip: { mode: 'multi', sort: 'desc' },
        },
      },

    heatmap(title, description, expr, unit)::
      panel('heatmap', title, description) {
        interval: '15m',
        targets: [$.query(expr, '{{le}}') { format: 'heatmap' }],
        fieldConfig: { defaults: { unit: 'locale', decimals: 0, noValue: t('no data') }, overrides: [] },
        options: {
          calculate: false,
          cellGap: 1,
          color: { mode: 'scheme', scheme: 'Blues', fill: 'dark-blue', exponent: 0.5, steps: 32, reverse: false, min: 0 },
          yAxis: { unit: unitOf(unit), axisPlacement: 'left' },
          rowsFrame: { layout: 'auto' },
          tooltip: { show: true, yHistogram: false, mode: 'single' },
          legend: { show: true },
          filterValues: { le: 1e-9 },
          showValue: 'never',
        },
      },

    timeline(title, description, expr, legend, mappings)::
      panel('state-timeline', title, description) {
        interval: '1m',
        targets: [$.query(expr, legend)],
        fieldConfig: {
          defaults: {
            unit: 'none',
            decimals: 0,
            noValue: t('no data'),
            color: { mode: 'thresholds' },
            thresholds: steps([$.step('red', 0), $.step('green', 1)]),
            mappings: mappings,
            custom: { fillOpacity: 80, lineWidth: 0 },
          },
          overrides: [],
        },
        options: {
          mergeValues: true,
          showValue: 'never',
          alignValue: 'left',
          rowHeight: 0.8,
          legend: { showLegend: false, displayMode: 'list', placement: 'bottom' },
          tooltip: { mode: 'single', sort: 'none' },
        },
      },

    // `rows` is a list of [label, name, properties]; `columns` is a list of { name, expr, unit, colours, decimals, mappings, links, width, label }. A
    // column with a label shows that label instead of the value. One with `first` stands before the rows' labels. Labels
    // that are left out are not shown.
    table(title, description, columns, rows, none='no data', sort=null, descending=true, leftOut=[])::
      local letter(i) = std.char(65 + i);
      // With a single query Grafana leaves out its letter.
      local value(i) = if std.length(columns) == 1 then 'Value' else 'Value #' + letter(i);
      local shown(column) = t(column.name);
      local isFirst(column) = std.get(column, 'first', false);
      local before = std.length(std.filter(isFirst, columns));
      // The text of an empty table would stand in each empty cell.
      local empty = { id: 'noValue', value: '–' };
      // Otherwise Grafana takes a name of digits for a number: 007 would be 7, and the long id of an agent rounded.
      local name = { id: 'unit', value: 'string' };
      panel('table', title, description) {
        targets: [
          $.query(columns[i].expr, '', letter(i)) { instant: true, range: false, format: 'table' }
          for i in std.range(0, std.length(columns) - 1)
        ],
        transformations: [
          { id: 'merge', options: {} },
          {
            id: 'organize',
            options: {
              excludeByName: { Time: true } + { [label]: true for label in leftOut } + {
                [value(i)]: true
                for i in std.range(0, std.length(columns) - 1)
                if std.objectHas(columns[i], 'label')
              },
              indexByName: { [rows[i][0]]: before + i for i in std.range(0, std.length(rows) - 1) } + {
                [if std.objectHas(columns[i], 'label') then columns[i].label else value(i)]: if isFirst(columns[i]) then i else 10 + i
                for i in std.range(0, std.length(columns) - 1)
              },
              renameByName: { [row[0]]: t(row[1]) for row in rows } + {
                [if std.objectHas(columns[i], 'label') then columns[i].label else value(i)]: shown(columns[i])
                for i in std.range(0, std.length(columns) - 1)
              },
            },
          },
        ],
        fieldConfig: {
          defaults: {
            unit: 'none',
            noValue: t(none),
            color: { mode: 'thresholds' },
            thresholds: steps([]),
            custom: { align: 'auto', filterable: false, inspect: false, minWidth: 60 },
          },
          overrides: [
            named(t(row[1]), [empty, name] + (if std.length(row) > 2 then row[2] else []))
            for row in rows
          ] + [
            named(shown(column), [
                                   if std.objectHas(column, 'label') then name else { id: 'unit', value: unitOf(std.get(column, 'unit', 'none')) },
                                   { id: 'mappings', value: std.get(column, 'mappings', []) },
                                   { id: 'links', value: std.get(column, 'links', []) },
                                   empty,
                                 ]
                                 + (if std.objectHas(column, 'width') then [$.width(column.width)] else [])
                                 + std.get(column, 'properties', [])
                                 + (if std.objectHas(column, 'decimals') then [{ id: 'decimals', value: column.decimals }] else [])
                                 + (if std.objectHas(column, 'colours') then [
                                      { id: 'thresholds', value: stepsOfCells(column.colours) },
                                    ] + $.cells('color-background') else []))
            for column in columns
          ],
        },
        options: { showHeader: true, cellHeight: 'sm', footer: { show: false } }
                 + (if sort == null then {} else { sortBy: [{ displayName: t(sort), desc: descending }] }),
      },

    // How cells of a table are coloured: by the first property in Grafana 9.4, by the second since 9.5.
    cells(type):: [
      { id: 'custom.displayMode', value: type + if type == 'color-background' then '-solid' else '' },
      { id: 'custom.cellOptions', value: { type: type, [if type == 'color-background' then 'mode']: 'basic' } },
    ],

    width(pixels):: { id: 'custom.width', value: pixels },
    linksTo(links):: { id: 'links', value: links },

    text(title, description, content)::
      panel('text', title, description) {
        targets:: [],
        options: { mode: 'markdown', content: content },
      },

    mapping(pairs):: [{
      type: 'value',
      options: {
        [pairs[i][0]]: { text: t(pairs[i][1]), color: pairs[i][2], index: i }
        for i in std.range(0, std.length(pairs) - 1)
      },
    }],
  }
