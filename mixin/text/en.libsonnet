// English is its own key, but for texts that are too long for one.
{
  'uid suffix': '',
  'page on quality': '../../docs/quality.md',
  guide: |||
    - **Lookback**: the range of upload times that the gauges cover, one day by default.
    - **Frontier**: every call uploaded before this time has been read; the lag is its age. While the list cannot be read, the frontier stands still. Such times are marked as "List not read", and their calls are counted afterwards.
    - **Overdue** calls are pending beyond those of the last hour and the usual stragglers.
    - **Status 9** (`inspection_failed`): the inspection failed, or a daily quota of audio or files is used up; then all further calls of the day end in this status.
    - **First seen**: a call counts once, by the first final status that the exporter sees. A repeated inspection does not count.
    - **Processing completed** is the share of calls whose processing succeeded, not the pass rate of quality inspection. Scores and violated rules are on the dashboard Quality.
    - **Team**: a call counts in the team that its agent was in when the call was counted.
  |||,
}
