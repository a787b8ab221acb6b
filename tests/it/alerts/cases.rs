//! Contact centres, the fault of each, and the alerts that it has to raise.

/// A contact centre, what will happen to it, and the alerts that this raises.
pub(crate) struct Case {
    pub(crate) target: &'static str,
    /// Put to this path of the simulator.
    pub(crate) fault: Option<(&'static str, &'static str)>,
    /// Faults in force from the start.
    pub(crate) habits: &'static str,
    /// These fire, for this fault.
    pub(crate) alerts: &'static [&'static str],
    /// These may fire as well: each with the reason.
    pub(crate) companions: &'static [(&'static str, &'static str)],
}

const fn case(
    target: &'static str,
    fault: Option<(&'static str, &'static str)>,
    alerts: &'static [&'static str],
) -> Case {
    Case {
        target,
        fault,
        habits: "{}",
        alerts,
        companions: &[],
    }
}

impl Case {
    const fn with(mut self, companions: &'static [(&'static str, &'static str)]) -> Self {
        self.companions = companions;
        self
    }

    pub(crate) fn may_raise(&self, alert: &str) -> bool {
        let companions = self.companions.iter().map(|(alert, _)| alert);
        companions.chain(self.alerts).any(|known| *known == alert)
    }
}

pub(crate) const FAULTS: &str = "/-/faults";
const SCENARIO: &str = "/-/scenario";

/// Earlier calls are still processed when the window of seconds has no new ones. A window of an hour has.
const DRIED_UP: &[(&str, &str)] = &[
    (
        "CecPipelineStuck",
        "pending calls exceed the calls of the window, of which there are none",
    ),
    (
        "CecProcessingSlow",
        "the calls that end are all that are left, and the slow ones end last",
    ),
];

/// While the list is not read, its counters stand still and so does the number of pending calls. With windows of
/// seconds, no calls are in the window soon, and the pending ones exceed it. Alertmanager inhibits these alerts.
const NOT_READ: &[(&str, &str)] = &[
    (
        "CecPipelineStuck",
        "pending calls exceed the calls of the window, of which there are none",
    ),
    ("CecProcessingSlow", "the same calls count as late"),
];

pub(crate) const CASES: &[Case] = &[
    case("healthy", None, &[]),
    case(
        "down",
        Some((FAULTS, r#"{"down": true}"#)),
        &["CecTargetDown", "CecTargetFlapping", "CecFrontierBehind"],
    )
    .with(NOT_READ),
    // The pull is still running, so it has not failed yet.
    case(
        "slow",
        Some((FAULTS, r#"{"latency_ms": 100000}"#)),
        &["CecFrontierBehind"],
    )
    .with(NOT_READ),
    Case {
        target: "token",
        fault: Some((
            FAULTS,
            r#"{"token": {"expires_seconds": 15, "troubles": [{"answer": {"http": 500}, "share": 1.0}]}}"#,
        )),
        habits: r#"{"token": {"expires_seconds": 15}}"#,
        alerts: &[
            "CecTokenNotRenewed",
            "CecTargetDown",
            "CecTargetFlapping",
            "CecFrontierBehind",
        ],
        companions: NOT_READ,
    },
    // See `rate_limit_again`.
    case("limited", None, &["CecRateLimited"]).with(&[(
        "CecTargetFlapping",
        "a pull fails that is refused too often in a row",
    )]),
    case(
        "rejected",
        Some((FAULTS, r#"{"wire": {"malformed_share": 0.3}}"#)),
        &["CecRecordsRejected"],
    ),
    case(
        "stuck",
        Some((SCENARIO, r#"{"stuck": 0}"#)),
        &["CecPipelineStuck", "CecProcessingSlow"],
    )
    .with(&[(
        "CecCallsExpired",
        "stuck calls leave the lookback in the end",
    )]),
    case(
        "failing",
        Some((SCENARIO, r#"{"asr_failing": 0.9}"#)),
        &["CecAsrFailing", "CecFailureRatioHigh"],
    ),
    case(
        "quota",
        Some((SCENARIO, r#"{"quota_exhausted": 1.0}"#)),
        &["CecQuotaExhausted", "CecFailureRatioHigh"],
    ),
    case(
        "dry",
        Some((SCENARIO, r#"{"dried_up": true}"#)),
        &["CecCallsDriedUp"],
    )
    .with(DRIED_UP),
    case(
        "fast",
        Some((SCENARIO, r#"{"fast_speech": true}"#)),
        &["CecSpeechTooFast"],
    ),
    case(
        "silent",
        Some((SCENARIO, r#"{"long_silence": true}"#)),
        &["CecSilenceTooLong"],
    ),
];
