"""Teams, agents, scores and rules of an imaginary contact centre, for incidents.py. In the last day and a half one
team speaks faster, one scenario loses points and one of its rules is violated far more often."""
import math

# Each with its share of the calls, of the failures, and the median of its speed and its silence.
TEAMS = {"After-sales 1": (.32, .8, 225, 120), "After-sales 2": (.27, .9, 238, 135), "Billing": (.22, 1, 232, 125),
         "Night shift": (.12, 2, 210, 175), "none": (.07, 1, 230, 130)}
FASTER, CHANGED = "Billing", "Billing enquiry"
# Each with its share of the results, and the median of the points that are lost.
SCENARIOS = {"After-sales complaint": (.3, 9), "Billing enquiry": (.3, 8), "New contract": (.25, 12), "Repair order": (.15, 6)}
SHARED = [("dialogue", "Greets the customer", .04), ("silence", "No silence above 15 s", .09),
          ("speed", "No faster than 300 a minute", .05), ("interposal", "Does not interrupt", .07)]
RULES = {
    "After-sales complaint": [("dialogue", "Apologises", .12), ("dialogue", "Names the next step", .16)],
    "Billing enquiry": [("dialogue", "Checks the identity", .02), ("dialogue", "Names amount and date", .05)],
    "New contract": [("dialogue", "Explains the right to cancel", .14), ("dialogue", "No promise of prices", .03)],
    "Repair order": [("dialogue", "Repeats the address", .08)],
}
SCORES = [20, 40, 50, 60, 65, 70, 75, 80, 85, 90, 95, 99, 100]
AGENTS = {f"16002264401120422{number:02}": (number, 205 + 37 * number % 60) for number in range(1, 13)}
SAMPLED = .2
REPORTED = [(kind, status) for kind in ("voice", "text") for status in ("succeeded", "inspection_failed", "invalid_audio")]


def score(histogram, lost):
    """100 less points that are distributed log-normally."""
    result = histogram("cec_call_score", SCORES, lost, .8)
    result.shares = [1 - .5 * (1 + math.erf(math.log((100.01 - bound) / lost) / .8 / math.sqrt(2))) for bound in SCORES]
    result.mean = 100 - lost * math.exp(.8 ** 2 / 2)
    return result


def wave(time, name):
    """A share from 0 to 0.2 that goes up and down over some hours and days, of each name differently."""
    phase = sum(map(ord, name))
    return .1 + .06 * math.sin(time / 9000 + phase) + .04 * math.sin(time / 50000 + 3 * phase)


class Quality:
    def __init__(self, labels, histogram, bounds, changed_at):
        self.labels, self.changed_at = labels, changed_at
        new = lambda name, bounds, median, spread: histogram(f"cec_team_call_{name}", bounds, median, spread)
        self.speeds = {team: new("speech_characters_per_minute", bounds["speed"], speed, .18)
                       for team, (_, _, speed, _) in TEAMS.items()}
        self.faster = new("speech_characters_per_minute", bounds["speed"], 285, .18)
        self.silences = {team: new("silence_seconds", bounds["silence"], silence, .6)
                         for team, (_, _, _, silence) in TEAMS.items()}
        self.duration = new("duration_seconds", bounds["duration"], 200, .75)
        self.ratio = new("speech_ratio", bounds["ratio"], .4, .35)
        self.scores = {scenario: score(histogram, lost) for scenario, (_, lost) in SCENARIOS.items()}
        self.lower = score(histogram, 17)
        self.heard = self.succeeded = self.results = self.pending = 0.
        # Calls that are faster, and that have fewer points, than is usual.
        self.hurried, self.worse = dict.fromkeys(TEAMS, 0.), dict.fromkeys(SCENARIOS, 0.)
        self.violated, self.checked = {}, {}

    def report(self, series, time, step, final):
        """`final` are the calls so far, by type and status."""
        heard = final.get(("voice", "succeeded"), 0)
        add = lambda name, kind, labels, value, suffix="": series.add(name, kind, {**self.labels, **labels}, time, value, suffix)
        changed = time >= self.changed_at
        succeeded = sum(value for (_, status), value in final.items() if status == "succeeded")
        for team, (share, *_) in TEAMS.items():
            self.hurried[team] += (heard - self.heard) * share * (1 if changed and team == FASTER else wave(time, team))
        self.inspect(time, step, (succeeded - self.succeeded) * SAMPLED, changed)
        self.heard, self.succeeded = heard, succeeded
        # Few series, so that the data are made in seconds.
        known = {key: final.get(key, 0) for key in REPORTED}
        for team, (share, failing, _, _) in TEAMS.items():
            labels = {**self.labels, "team": team}
            for (kind, status), count in known.items():
                weight = share * (1 if status == "succeeded" else failing)
                add("cec_team_calls_processed_total", "counter", {"team": team, "call_type": kind, "status": status}, count * weight)
            for kind in ("voice", "text"):
                self.duration.add(series, {**labels, "call_type": kind}, time, known[kind, "succeeded"] * share)
            self.speeds[team].add(series, labels, time, heard * share, 0, self.faster, self.hurried[team])
            self.silences[team].add(series, labels, time, heard * share)
            self.ratio.add(series, labels, time, heard * share)
        self.report_agents(add, known, heard)
        self.report_results(series, add, time)

    def inspect(self, time, step, new, changed):
        self.results += min(self.pending + new, step * .03)
        counted = min(self.pending + new, step * .03)
        self.results += counted
        self.pending += new - counted
        for scenario, (share, _) in SCENARIOS.items():
            self.worse[scenario] += counted * share * (1 if changed and scenario == CHANGED else wave(time, scenario))
            for rule in RULES[scenario] + SHARED:
                kind, name, violated = rule
                if changed and scenario == CHANGED and name == "Names amount and date":
                    violated = .24
                key = scenario, kind, name
                self.checked[key] = self.checked.get(key, 0) + counted * share
                self.violated[key] = self.violated.get(key, 0) + counted * share * violated * (.8 + 2 * wave(time, name))

    def report_agents(self, add, known, heard):
        total = sum(number for number, _ in AGENTS.values())
        for agent, (number, speed) in AGENTS.items():
            share, labels = number / total, {"staff_id": agent}
            for (kind, status), count in known.items():
                add("cec_agent_calls_processed_total", "counter", {**labels, "call_type": kind, "status": status}, count * share)
            measures = {"silence_seconds": 120 + 23 * number % 60, "speech_characters_per_minute": speed, "speech_ratio": .4}
            for name, mean in measures.items():
                add(f"cec_agent_call_{name}", "summary", labels, heard * share * mean, "_sum")
                add(f"cec_agent_call_{name}", "summary", labels, heard * share, "_count")
            for kind in ("voice", "text"):
                count = known[kind, "succeeded"] * share
                add("cec_agent_call_duration_seconds", "summary", {**labels, "call_type": kind}, count * 260, "_sum")
                add("cec_agent_call_duration_seconds", "summary", {**labels, "call_type": kind}, count, "_count")

    def report_results(self, series, add, time):
        for scenario, (share, _) in SCENARIOS.items():
            self.scores[scenario].add(series, {**self.labels, "scenario": scenario}, time, self.results * share, 0, self.lower, self.worse[scenario])
        for (scenario, kind, name), checked in self.checked.items():
            violated = self.violated[scenario, kind, name]
            labels = {"scenario": scenario, "kind": kind, "rule": name}
            add("cec_call_rules_total", "counter", {**labels, "result": "kept"}, checked - violated)
            add("cec_call_rules_total", "counter", {**labels, "result": "violated"}, violated)
        for outcome, share in (("counted", .95), ("empty", .05), ("failed", .01), ("expired", 0)):
            add("cec_exporter_results_total", "counter", {"outcome": outcome}, self.results * share)
        # There are always some that have just succeeded.
        add("cec_exporter_results_pending", "gauge", {}, 2 + round(self.pending))
        add("cec_exporter_results_oldest_pending_timestamp_seconds", "gauge", {}, time - 60 - self.pending / .03)
        for what in ("teams", "agents", "rules"):
            add(f"cec_exporter_folded_{what}", "gauge", {}, 0)
        add("cec_exporter_teams_file_last_reload_successful", "gauge", {}, 1)
