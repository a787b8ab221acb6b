"""Writes what exporters would have said of some contact centres, as OpenMetrics: hours of calls with a
daily curve, and incidents that dashboards have to show. Usage: incidents.py END HOURS STEP SCENARIO

END is a Unix time, STEP is in seconds. SCENARIO is one of
  incidents  a used up quota, an outage, a stuck stage and a quiet night, in two clusters
  week       the same spread over a week, with other speeds and durations in rush hours: for pictures
  normal     all is well
  down       one target's pulls have failed for the last 20 minutes
  dead       the exporter has been gone for the last 20 minutes
  loading    the first pull has not ended
"""
import math
import sys

from quality import Quality

STATUSES = ["waiting", "transcribing", "inspecting", "succeeded", "inspection_failed", "asr_empty",
            "asr_failed", "asr_upload_failed", "asr_submit_failed", "multimedia_failed", "tuc_failed",
            "asr_conversion_failed", "result_update_failed", "task_failed", "invalid_audio"]
PENDING = STATUSES[:3]
FINAL = STATUSES[3:]
FAILURES = {"asr_failed": .010, "asr_empty": .008, "invalid_audio": .003, "multimedia_failed": .002,
            "asr_upload_failed": .002}
REASONS = ["auth", "rate_limit", "timeout", "connect", "server", "body", "envelope", "storage", "paging"]
DURATIONS = [5, 15, 30, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1800, 3600]
SILENCES = [1, 5, 15, 30, 60, 90, 120, 180, 240, 300, 600, 1200]
PROCESSING = [60, 120, 180, 240, 300, 450, 600, 900, 1200, 1800, 3600, 7200, 14400, 28800, 86400]
LISTING = [15, 30, 60, 120, 300, 600, 1800, 3600, 14400]
SPEEDS = [60, 90, 120, 150, 180, 200, 220, 240, 260, 280, 300, 330, 360, 420]
RATIOS = [.1, .2, .3, .4, .5, .6, .7, .8, .9, 1]
REQUESTS = [.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30]
PULLS = [.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800]
JOB = {"job": "cec_exporter"}


class Series:
    """All samples, by family, in the order of time."""

    def __init__(self):
        self.families = {}

    def add(self, name, kind, labels, time, value, suffix=""):
        samples = self.families.setdefault((name, kind), {})
        text = ",".join(f'{key}="{value}"' for key, value in labels.items())
        samples.setdefault(f"{name}{suffix}{{{text}}}", []).append((time, value))

    def write(self, out):
        for (name, kind), series in self.families.items():
            out.write(f"# TYPE {name.removesuffix('_total')} {kind}\n")
            for key, samples in series.items():
                for time, value in samples:
                    out.write(f"{key} {value:.10g} {time}\n")
        out.write("# EOF\n")


class Histogram:
    """Log-normal, so that shares up to a bound are known."""

    def __init__(self, name, bounds, median, spread):
        self.name, self.bounds = name, bounds
        self.shares = [.5 * (1 + math.erf(math.log(bound / median) / spread / math.sqrt(2)))
                       for bound in bounds]
        self.mean = median * math.exp(spread ** 2 / 2)

    def add(self, series, labels, time, count, slow=0., other=None, part=0.):
        """`part` of the observations are distributed as in `other`."""
        other = other or self
        for bound, share, elsewhere in zip(self.bounds, self.shares, other.shares):
            series.add(self.name, "histogram", {**labels, "le": f"{bound:g}"}, time,
                       ((count - part) * share + part * elsewhere) * (1 - slow), "_bucket")
        series.add(self.name, "histogram", {**labels, "le": "+Inf"}, time, count, "_bucket")
        series.add(self.name, "histogram", labels, time, count, "_count")
        series.add(self.name, "histogram", labels, time, (count - part) * self.mean + part * other.mean, "_sum")


DURATION = Histogram("cec_call_duration_seconds", DURATIONS, 200, .75)
PROCESSED = Histogram("cec_call_processing_seconds", PROCESSING, 240, .6)
LISTED = Histogram("cec_call_listing_delay_seconds", LISTING, 20, .5)
SILENCE = Histogram("cec_call_silence_seconds", SILENCES, 130, .6)
SPEED = Histogram("cec_call_speech_characters_per_minute", SPEEDS, 230, .2)
RATIO = Histogram("cec_call_speech_ratio", RATIOS, .38, .4)
# In rush hours.
RUSH = {DURATION: Histogram(DURATION.name, DURATIONS, 150, .8), PROCESSED: Histogram(PROCESSED.name, PROCESSING, 500, .7),
        SILENCE: Histogram(SILENCE.name, SILENCES, 80, .6), SPEED: Histogram(SPEED.name, SPEEDS, 275, .2),
        RATIO: Histogram(RATIO.name, RATIOS, .46, .4)}
PULL = Histogram("cec_exporter_pull_duration_seconds", PULLS, .4, .5)
REQUEST = Histogram("cec_exporter_api_request_duration_seconds", REQUESTS, .08, .6)


def arrivals(time, busy):
    """Calls an hour: two peaks a day, hardly any at night."""
    hour = time % 86400 / 3600
    return busy * (math.exp(-(hour - 10.5) ** 2 / 5) + .8 * math.exp(-(hour - 16) ** 2 / 8)) + busy / 60


class Target:
    def __init__(self, name, place, busy, incidents, end, rushes=False):
        self.name, self.busy, self.incidents, self.rushes = name, busy, incidents, rushes
        # Calls of rush hours: finished, and heard.
        self.rushed = {"voice": 0., "text": 0., "heard": 0.}
        self.labels = {**JOB, **place, "instance": f"{place['cluster']}:10042", "target": name}
        self.quality = Quality(self.labels, Histogram, {"duration": DURATIONS, "silence": SILENCES, "speed": SPEEDS, "ratio": RATIOS},
                               end - 36 * 3600)
        self.total = {"voice": 0., "text": 0.}
        self.final = {}
        self.pending = {kind: dict.fromkeys(PENDING, 0.) for kind in self.total}
        self.failures = dict.fromkeys(REASONS, 0)
        self.pulls = self.requests = self.failed_requests = self.expired = self.unseen = 0
        self.window, self.frontier, self.held = [], None, []

    def during(self, name, time):
        return any(begin <= time < end for begin, end in self.incidents.get(name, []))

    def step(self, series, time, step, loading):
        up = not self.during("outage", time)
        add = lambda name, kind, labels, value: series.add(name, kind, {**self.labels, **labels}, time, value)
        add("cec_up", "gauge", {}, int(up and not loading))
        add("cec_window_seconds", "gauge", {}, 86400)
        add("cec_target_info", "gauge", {"endpoint": "https://cec.example.com", "call_types": "voice,text"}, 1)
        if loading:
            for reason in REASONS:
                add("cec_exporter_pull_failures_total", "counter", {"reason": reason}, 0)
            return
        self.pulls += step / 30
        self.requests += step / 15
        if up:
            before = self.frontier or time - step
            self.advance(before, time, step)
            self.frontier = time
        else:
            self.failures["connect"] += step / 30
            self.failed_requests += step / 15
        self.report(series, add, time, up)
        # Of one target nothing is enabled. Every second minute is enough, and half of the data.
        if self.name == "support" and (step > 60 or time % 120 == 0):
            self.quality.report(series, time, max(step, 120), self.final)

    def advance(self, before, time, step):
        """Reads what happened since the frontier, an hour of outage in one go."""
        caught_up = time - before > step
        for moment in range(int(before), int(time), step):
            for kind, share in (("voice", .8), ("text", .2)):
                new = arrivals(moment, self.busy) * share * step / 3600
                rush = min(1, new * 3600 / step / share / self.busy) ** 2 if self.rushes else 0
                if self.rushes:
                    new *= (.35 if moment // 86400 % 7 in (2, 3) else 1) * (1 + (moment - 1.795e9) / 6e6)
                self.total[kind] += new
                stages = self.pending[kind]
                stages["waiting"] += new
                stuck = kind == "voice" and self.during("stuck", moment)
                begun = stages["waiting"] * min(1, step / 60)
                heard = 0 if stuck else stages["transcribing"] * min(1, step / 90)
                done = stages["inspecting"] * min(1, step / 60)
                stages["waiting"] -= begun
                stages["transcribing"] += begun - heard
                stages["inspecting"] += heard - done
                shares = dict(FAILURES) if kind == "voice" else {"task_failed": .002}
                shares["inspection_failed"] = .55 if self.during("quota", moment) else .002
                if kind == "voice" and self.during("bad_audio", moment):
                    shares["invalid_audio"] = .12
                shares["succeeded"] = 1 - sum(shares.values())
                for status, part in shares.items():
                    key = kind, status
                    self.final[key] = self.final.get(key, 0) + done * part
                self.rushed[kind] += done * rush
                if kind == "voice":
                    self.rushed["heard"] += done * rush * shares["succeeded"]
                if not caught_up:
                    self.unseen += done
            self.window.append((moment, dict(self.total), dict(self.final)))
        while self.window and self.window[0][0] < time - 86400:
            self.window.pop(0)

    def report(self, series, add, time, up):
        total = sum(self.total.values())
        for kind, count in self.total.items():
            add("cec_calls_total", "counter", {"call_type": kind}, count)
            add("cec_calls_missing_total", "counter", {"call_type": kind}, total / 5000 if kind == "voice" else 0)
            for status in FINAL:
                add("cec_calls_processed_total", "counter", {"call_type": kind, "status": status},
                    self.final.get((kind, status), 0))
            for status in PENDING:
                add("cec_calls_expired_total", "counter", {"call_type": kind, "status": status},
                    count / 3000 if status == "waiting" else 0)
            done = sum(value for (of, _), value in self.final.items() if of == kind)
            for outcome, share in (("succeeded", .97), ("failed", .03)):
                PROCESSED.add(series, {**self.labels, "call_type": kind, "outcome": outcome}, time, done * share, .01,
                              RUSH[PROCESSED], self.rushed[kind] * share)
            DURATION.add(series, {**self.labels, "call_type": kind}, time, self.final.get((kind, "succeeded"), 0), 0,
                         RUSH[DURATION], self.rushed["heard"] if kind == "voice" else 0)
        add("cec_calls_processing_unobserved_total", "counter", {}, sum(self.final.values()) - self.unseen)
        LISTED.add(series, self.labels, time, total)
        heard = self.final.get(("voice", "succeeded"), 0)
        for role, share, hurry in (("customer", .97, .3), ("staff", .99, .9), ("unknown", .02, 0)):
            for histogram in (SILENCE, SPEED, RATIO):
                histogram.add(series, {**self.labels, "role": role}, time, heard * share, 0,
                              RUSH[histogram], self.rushed["heard"] * share * hurry)
        self.exporter(series, add, time, up)
        if self.frontier is None or time - self.frontier > 600:
            return
        first, hour = self.window[0], next(entry for entry in self.window if entry[0] > self.frontier - 3660)
        for kind in self.total:
            for status in STATUSES:
                if status in PENDING:
                    value = self.pending[kind][status]
                else:
                    value = self.final.get((kind, status), 0) - first[2].get((kind, status), 0)
                add("cec_window_calls", "gauge", {"call_type": kind, "status": status}, round(value))
            add("cec_window_missing_calls", "gauge", {"call_type": kind}, 3 if kind == "voice" else 0)
            add("cec_recent_calls", "gauge", {"call_type": kind}, round(self.total[kind] - hour[1][kind]))
            for status in PENDING:
                if self.pending[kind][status] >= .5:
                    begin = next((b for b, e in self.incidents.get("stuck", []) if b <= time < e), None)
                    is_stuck = begin and kind == "voice" and status == "transcribing"
                    add("cec_oldest_pending_call_timestamp_seconds", "gauge", {"call_type": kind, "status": status},
                        begin - 120 if is_stuck else self.frontier - 400)
            for what, share in (("sampled", 40), ("reviewed", 150), ("appealed", 500)):
                for state in (0, 1):
                    add(f"cec_window_{what}_calls", "gauge", {"call_type": kind, "state": state},
                        round(self.total[kind] % 20000 / share / (2 - state)))

    def exporter(self, series, add, time, up):
        add("cec_exporter_frontier_timestamp_seconds", "gauge", {}, self.frontier or 0)
        add("cec_exporter_last_success_timestamp_seconds", "gauge", {}, self.frontier or 0)
        add("cec_exporter_reconcile_timestamp_seconds", "gauge", {}, (self.frontier or 0) // 3600 * 3600)
        add("cec_exporter_token_expiry_timestamp_seconds", "gauge", {}, time // 540 * 540 + 600)
        add("cec_exporter_next_pull_timestamp_seconds", "gauge", {}, time + 10)
        add("cec_exporter_min_pull_interval_seconds", "gauge", {}, 10)
        add("cec_exporter_clock_skew_seconds", "gauge", {}, -2)
        add("cec_exporter_ledger_calls", "gauge", {}, round(sum(self.total.values()) % 40000))
        add("cec_exporter_ledger_calls_limit", "gauge", {}, 5000000)
        add("cec_exporter_storage_bytes", "gauge", {}, 4e6)
        add("cec_exporter_scrapes_before_pull_end_total", "counter", {}, self.pulls // 50)
        for reason, count in self.failures.items():
            add("cec_exporter_pull_failures_total", "counter", {"reason": reason}, count)
        for reason in ("identity", "upload_time", "shape", "measure"):
            add("cec_exporter_records_rejected_total", "counter", {"reason": reason}, self.pulls // 40 if reason == "measure" else 0)
        add("cec_exporter_windows_unproven_total", "counter", {"reason": "total"}, self.pulls // 200)
        for api, share in (("details", 1), ("token", .01)):
            good = self.requests - self.failed_requests
            add("cec_exporter_api_requests_total", "counter", {"api": api, "code": "200"}, good * share)
            add("cec_exporter_api_requests_total", "counter", {"api": api, "code": "429"}, good * share * .004)
            add("cec_exporter_api_requests_total", "counter", {"api": api, "code": "connect"}, self.failed_requests * share)
            add("cec_exporter_api_retries_total", "counter", {"api": api}, (good * .004 + self.failed_requests) * share)
            REQUEST.add(series, {**self.labels, "api": api}, time, good * share)
        PULL.add(series, self.labels, time, self.pulls)


def process(series, labels, time, begin):
    add = lambda name, kind, value, more={}: series.add(name, kind, {**labels, **more}, time, value)
    add("cec_exporter_build_info", "gauge", 1, {"version": "0.1.0", "revision": "abc", "rustc": "1.90"})
    add("cec_exporter_config_last_reload_successful", "gauge", 1)
    add("cec_exporter_config_last_reload_success_timestamp_seconds", "gauge", begin)
    add("cec_exporter_shard_ordinal", "gauge", 0)
    add("cec_exporter_total_shards", "gauge", 1)
    add("process_start_time_seconds", "gauge", begin)
    add("process_resident_memory_bytes", "gauge", 18e6)
    add("process_cpu_seconds_total", "counter", (time - begin) * .01)
    add("process_open_fds", "gauge", 21)
    add("promhttp_metric_handler_requests_total", "counter", (time - begin) / 30, {"code": "200"})
    add("promhttp_metric_handler_requests_in_flight", "gauge", 1)


def main():
    end, hours, step = int(float(sys.argv[1])), float(sys.argv[2]), int(sys.argv[3])
    scenario = sys.argv[4]
    end -= end % step
    begin = end - int(hours * 3600)
    events = {}
    if scenario == "incidents":
        events = {
            "quota": [(end - 8 * 3600, end - 6.3 * 3600)],
            "outage": [(end - 5 * 3600, end - 4.3 * 3600)],
            "stuck": [(end - 3 * 3600, end + 1)],
            "bad_audio": [(end - 30 * 3600, end - 27 * 3600)],
        }
    elif scenario == "week":
        today = end // 86400 * 86400
        at = lambda days, hour: today - days * 86400 + hour * 3600
        events = {
            "quota": [(at(4, 14), at(3, 0)), (at(0, 10.5), at(0, 12))],
            "outage": [(at(2, 9.5), at(2, 11)), (at(0, 13), at(0, 13.7))],
            "stuck": [(at(0, 15), end + 1)],
            "bad_audio": [(at(1, 10), at(1, 13))],
        }
    elif scenario == "down":
        events = {"outage": [(end - 1200, end + 1)]}
    places = [{"cluster": "east"}, {"cluster": "west"}]
    rushes = scenario == "week"
    targets = [Target("support", places[0], 900, events, end, rushes), Target("sales", places[0], 300, {}, end, rushes),
               Target("support", places[1], 400, {}, end, rushes)]
    series = Series()
    for time in range(begin, end + 1, step):
        dead = scenario == "dead" and time > end - 1200
        for place in places:
            labels = {**JOB, **place, "instance": f"{place['cluster']}:10042"}
            series.add("up", "gauge", labels, time, 0 if dead else 1)
            if not dead:
                process(series, labels, time, begin if time < end - 20 * 3600 else end - 20 * 3600)
        if not dead:
            for target in targets:
                target.step(series, time, step, scenario == "loading")
    series.write(sys.stdout)


main()
