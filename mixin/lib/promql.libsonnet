// Parts of queries. `config` is the mixin's.
function(config) {
  local copies = std.join(', ', config.copyLabels),
  local labels(drop) = std.join(', ', config.copyLabels + drop),
  local braces(selector) = if selector == '' then '' else '{' + selector + '}',

  // Matchers of calls that may still change: those whose status has no name, or that have none, among them.
  unknown:: 'status=~"unknown.*"',
  pending:: 'status=~"waiting|transcribing|inspecting|unknown.*"',

  // Two exporters of one target say the same twice: one of them is kept. Labels of a place stay.
  one(expr, drop=[], by='max'):: '%s without (%s) (%s)' % [by, labels(drop), expr],

  // The number of a threshold. Where several rule files define it, the strictest counts.
  above(name):: '> on () group_left () min(cec:%s:threshold)' % name,
  atLeast(name):: '>= on () group_left () min(cec:%s:threshold)' % name,
  below(name):: '< on () group_left () max(cec:%s:threshold)' % name,

  // A counter that starts over without a ledger comes back with the whole lookback in it.
  rate(series, range='1h'):: 'rate(%(s)s[%(r)s]) unless resets(%(s)s[%(r)s]) > 0' % { s: series, r: range },

  // Histograms, whether they are stored as classic, native or both. The classic one comes first,
  // so that nothing counts twice where both are stored.
  local both(classic, native) = if config.nativeHistograms then '%s or %s' % [classic, native] else classic,
  count(metric, selector, range, fn='rate', offset='')::
    both('%s(%s_count%s[%s]%s)' % [fn, metric, braces(selector), range, offset],
         'histogram_count(%s(%s%s[%s]%s))' % [fn, metric, braces(selector), range, offset]),
  sum(metric, selector, range, fn='rate', offset='')::
    both('%s(%s_sum%s[%s]%s)' % [fn, metric, braces(selector), range, offset],
         'histogram_sum(%s(%s%s[%s]%s))' % [fn, metric, braces(selector), range, offset]),
  // Observations up to a bound. Prometheus 3 spells the bound 300 as 300.0, and across an upgrade
  // both are there: `sum without (le)` over this takes them together.
  upTo(metric, selector, bound, range, fn='rate')::
    local le = std.join(', ', std.filter(function(part) part != '', [selector, 'le=~"%s(\\\\.0)?"' % bound]));
    local native = '%s(%s%s[%s])' % [fn, metric, braces(selector), range];
    both('%s(%s_bucket{%s}[%s])' % [fn, metric, le, range],
         // A share of no observations is NaN, and so would be every sum with it.
         '(histogram_fraction(-Inf, %s, %s) * histogram_count(%s) >= 0 or 0 * histogram_count(%s))' % [bound, native, native, native]),

  // Histograms added up by these labels. Both spellings of a bound become one: heatmaps would have two
  // rows for it, and not every database takes them together in a quantile.
  local added(metric, selector, range, by, fn, steady=function(expr) expr) =
    'label_replace(sum by (%s) (label_replace(%s, "bound", "$1", "le", "(.+?)(\\\\.0)?")), "le", "$1", "bound", "(.+)")'
    % [std.join(', ', by + ['bound']), steady(self.one('%s(%s_bucket%s[%s])' % [fn, metric, braces(selector), range]))],
  local native(metric, selector, range, by, fn) =
    (if by == [] then 'sum(%s)' else 'sum by (' + std.join(', ', by) + ') (%s)') % ('%s(%s%s[%s])' % [fn, metric, braces(selector), range]),
  quantile(q, metric, selector, range, by=[])::
    // Nothing observed is NaN, which would show in legends.
    both('histogram_quantile(%g, sum by (%s) (%s)) >= 0' % [q, std.join(', ', by + ['le']), added(metric, selector, range, by, 'rate')],
         'histogram_quantile(%g, %s) >= 0' % [q, native(metric, selector, range, by, 'rate')]),
  // For heatmaps. `steady` may leave out moments.
  buckets(metric, selector, range, steady=function(expr) expr)::
    both('sum by (le) (%s)' % added(metric, selector, range, [], 'increase', steady),
         'sum(%s)' % steady('increase(%s%s[%s])' % [metric, braces(selector), range])),

  // Share of the call time in which nobody speaks, weighed by time. `mean` is the silence of each role, with its own
  // count, as a channel may be missing in some calls; a role that is missing in all of them leaves nothing to say.
  // Where both speak at once there is more silence than this. `over` is how roles are added up.
  silence(over, mean, duration):: |||
    clamp_min(
      (
        sum%(over)s(%(mean)s)
          and
        count%(over)s(%(mean)s) == 2
      )
        /
      %(duration)s
        - 1,
      0
    )
  ||| % { over: over, mean: mean, duration: duration },

  // Of each pair the larger one; where one is not there, the other.
  larger(a, b):: '(%(a)s) > (%(b)s) or (%(b)s) or (%(a)s)' % { a: a, b: b },
  ratio(part, whole):: '%s / (%s > 0)' % [part, whole],
}
