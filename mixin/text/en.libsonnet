// English is its own key, but for texts that are too long for one.
{
  'uid suffix': '',
  guide: |||
    - **Lookback**: the window of upload time that the gauges cover, a day by default.
    - **Frontier**, "read up to": every call uploaded before this moment has been read. While the list cannot be read it stands still; what happened meanwhile is counted afterwards, and marked here as "list not read".
    - **Status 9** (`inspection_failed`): the inspection failed, or a daily quota of audio or files is used up. Then all further calls of the day end in it.
    - **First seen**: a call counts once, by the first final status that the exporter saw. If it is inspected again, it does not count again.
    - **Processing completed** is the share of calls whose processing succeeded, not the pass rate of quality inspection. Agents, teams, scores and rules of inspection are not on these dashboards.
  |||,
}
