use std::collections::{BTreeMap, HashSet};

use super::super::call::Call;
use super::super::expected::{Expected, Sum};
use super::super::measures::{Channel, Role};
use super::super::spec::{Scenario, Spec};
use super::super::status::{SUCCEEDED, is_final};
use super::super::world::World;
use super::{DAY, START, eventful, transitions};

/// Everything about a call that must not depend on when the world is asked.
fn fixed_properties(call: &Call<'_>) -> String {
    format!(
        "{} {} {:?} {:?} {} {:?}",
        call.uuid(),
        call.group_id(),
        transitions(call),
        call.measures(),
        call.visible_at(),
        call.gone_at(),
    )
}

fn all_properties(world: &mut World, from: u32, now: u32) -> Vec<String> {
    world
        .calls(from, now, now)
        .map(|call| fixed_properties(&call))
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_calls_in_any_order_of_queries() {
    let end = START + DAY / 4;
    let mut at_once = World::new(eventful());
    let mut in_steps = World::new(eventful());
    for now in (START..end).step_by(777) {
        in_steps.truth(now.saturating_sub(60), now);
    }
    let calls = all_properties(&mut at_once, START, end);
    assert!(calls.len() > 100);
    assert_eq!(calls, all_properties(&mut in_steps, START, end));
    let mut other = World::new(Spec {
        seed: 2,
        ..eventful()
    });
    assert_ne!(calls, all_properties(&mut other, START, end));
    let identities: HashSet<_> = at_once.calls(0, end, end).map(|call| call.uuid()).collect();
    assert_eq!(identities.len(), calls.len());
}

#[test]
fn a_world_is_empty_before_its_start_and_has_the_configured_size() {
    let mut world = World::new(eventful());
    assert_eq!(world.calls(0, START, START - 1).count(), 0);
    let now = START + 5 * DAY;
    assert!(
        world
            .calls(0, now, now)
            .all(|call| call.upload_time() >= START)
    );
    let count = world.calls(0, now, now).count() as f64;
    assert!((count / 20_000.0 - 1.0).abs() < 0.05, "{count}");
}

#[test]
fn nights_are_quiet_unless_the_curve_is_flat() {
    // 10:00 to 11:00 compared with 03:00 to 04:00, at UTC+8.
    let midnight = (START / DAY + 1) * DAY;
    let hours = |spec: Spec| {
        let mut world = World::new(spec);
        let now = midnight + DAY;
        let mut hour = |from: u32| world.calls(from, from + 3599, now).count() as f64;
        hour(midnight + 2 * 3600) / hour(midnight + 19 * 3600)
    };
    let busy = Spec {
        calls_per_day: 50_000.0,
        ..eventful()
    };
    assert!(hours(busy.clone()) > 5.0);
    assert!((hours(Spec { flat: true, ..busy }) - 1.0).abs() < 0.2);
}

#[test]
fn the_status_agrees_with_the_transitions() {
    let now = START + 2 * DAY;
    let mut world = World::new(eventful());
    let mut inspected_again = 0;
    for call in world.calls(START, now, now) {
        let steps = transitions(&call);
        // A call may leave status 0 within its first second.
        assert_eq!(steps[0].0, call.upload_time());
        for (index, &(at, status)) in steps.iter().enumerate() {
            assert_eq!(call.status_at(at), status);
            if let Some(&(next, _)) = steps.get(index + 1) {
                assert!(at < next, "{steps:?}");
                assert_eq!(call.status_at(next - 1), status);
            }
        }
        let ends: Vec<_> = steps
            .iter()
            .filter(|(_, status)| is_final(*status))
            .collect();
        assert_eq!(
            call.first_final(u32::MAX - 1).as_ref(),
            ends.first().copied()
        );
        let success = ends.iter().find(|(_, status)| *status == SUCCEEDED);
        assert_eq!(
            call.first_success(u32::MAX - 1),
            success.map(|&&(at, _)| at)
        );
        inspected_again += usize::from(ends.len() > 1);
    }
    assert!(inspected_again > 100);
}

#[test]
fn inspection_takes_minutes_divided_by_the_speed() {
    let median = |pipeline_speed: f64| {
        let mut world = World::new(Spec {
            pipeline_speed,
            ..eventful()
        });
        let now = START + DAY;
        let mut times: Vec<u32> = world
            .calls(START, now, now)
            .filter_map(|call| Some(call.first_final(u32::MAX - 1)?.0 - call.upload_time()))
            .collect();
        times.sort_unstable();
        (times[times.len() / 2], times[times.len() - 1])
    };
    let (usual, longest) = median(1.0);
    assert!((120..480).contains(&usual), "{usual}");
    assert!(longest > 3600, "{longest}");
    assert!((1..10).contains(&median(60.0).0));
    assert_eq!(median(f64::INFINITY), (0, 0));
}

#[test]
fn final_statuses_have_the_configured_shares() {
    let mut world = World::new(Spec {
        calls_per_day: 200_000.0,
        text_share: 0.0,
        ..eventful()
    });
    let truth = world.truth(START, START + 3 * DAY);
    let ends = &truth.first_final[&0];
    let all: u64 = ends.values().sum();
    for (code, share) in Spec::default().failures {
        let seen = ends[&code] as f64 / all as f64;
        assert!((seen / share - 1.0).abs() < 0.3, "{code}: {seen}");
    }
}

#[test]
fn text_calls_have_no_speech_measures_or_failures() {
    let failures = vec![(32, 0.5), (36, 0.5)];
    let mut world = World::new(Spec {
        failures,
        text_share: 1.0,
        ..eventful()
    });
    let now = START + 3 * DAY;
    for call in world.calls(START, now, now) {
        assert_eq!(call.call_type(), 2);
        assert!(
            transitions(&call)
                .iter()
                .all(|&(_, status)| status != 3 && status != 32)
        );
        assert_eq!(call.measures().left, Channel::default());
        assert_eq!(call.measures().right, Channel::default());
    }
    assert!(world.truth(START, now).first_final[&2][&36] > 100);
}

#[test]
fn measures_are_consistent_and_appear_with_the_transcript() {
    let now = START + DAY;
    let mut world = World::new(Spec {
        null_share: 0.0,
        text_share: 0.0,
        ..eventful()
    });
    let mut customer_left = 0;
    let mut count = 0;
    for call in world.calls(START, now, now) {
        let measures = call.measures();
        let duration = measures.duration.unwrap() as f64 / 1e6;
        for channel in [measures.left, measures.right] {
            let silence = channel.silence.unwrap() as f64 / 1e6;
            let ratio = channel.ratio.unwrap() as f64 / 1e6;
            assert!((silence + ratio * duration - duration).abs() < 0.0051);
            assert!((30.0..600.0).contains(&(channel.speed.unwrap() as f64 / 1e6)));
        }
        assert_ne!(measures.left.role, measures.right.role);
        customer_left += usize::from(measures.left.role == Some(Role::Customer));
        count += 1;
        if let Some(at) = call.first_success(now) {
            assert_eq!(call.measures_at(at), measures);
        }
        if call.status_at(call.upload_time()) == 0 {
            assert_eq!(call.measures_at(call.upload_time()).left.speed, None);
        }
    }
    assert!((count / 3..count * 2 / 3).contains(&customer_left));
}

/// The truth, computed a second time from single calls.
fn recount(world: &mut World, from: u32, now: u32) -> Expected {
    let mut truth = Expected {
        from,
        now,
        ..Expected::default()
    };
    let add = |sums: &mut BTreeMap<Role, Sum>, role: Option<Role>, value: Option<u64>| {
        let sum = sums.entry(role.unwrap_or(Role::Unknown)).or_default();
        sum.count += u64::from(value.is_some());
        sum.millionths += u128::from(value.unwrap_or(0));
    };
    for call in world.calls(0, u32::MAX, now) {
        if call.upload_time() < from || call.visible_at() > now {
            continue;
        }
        let kind = call.call_type();
        let gone = call.gone_at().filter(|&gone| gone <= now);
        let life: Vec<_> = transitions(&call)
            .into_iter()
            .filter(|&(at, _)| at <= now && gone.is_none_or(|gone| at < gone))
            .collect();
        let last = life[life.len() - 1].1;
        *truth.calls.entry(kind).or_default() += 1;
        match gone {
            Some(_) => *truth.deleted.entry(kind).or_default() += 1,
            None => {
                let statuses = truth.current.entry(kind).or_default();
                *statuses.entry(last).or_default() += 1;
                for (name, state) in call.manual_at(now) {
                    if state != -1 {
                        let states = truth.manual.entry(name).or_default();
                        *states.entry(state).or_default() += 1;
                    }
                }
            }
        }
        let (counts, status) = match life.iter().find(|(_, status)| is_final(*status)) {
            Some(&(_, status)) => (&mut truth.first_final, status),
            None => (&mut truth.never_final, last),
        };
        *counts.entry(kind).or_default().entry(status).or_default() += 1;
        if life.iter().any(|&(_, status)| status == 2) {
            let measures = call.measures();
            let sum = truth.duration.entry(kind).or_default();
            sum.count += u64::from(measures.duration.is_some());
            sum.millionths += u128::from(measures.duration.unwrap_or(0));
            if kind == 0 {
                for channel in [measures.left, measures.right] {
                    add(&mut truth.silence, channel.role, channel.silence);
                    add(&mut truth.speed, channel.role, channel.speed);
                    add(&mut truth.ratio, channel.role, channel.ratio);
                }
            }
        }
    }
    truth
}

#[test]
fn the_truth_agrees_with_a_recount() {
    let mut world = World::new(Spec {
        failures: vec![(32, 0.1), (9, 0.1)],
        ..eventful()
    });
    for now in [START - 1, START + 600, START + DAY / 2, START + DAY] {
        for from in [0, START, now.saturating_sub(3600)] {
            let truth = world.truth(from, now);
            assert_eq!(truth, recount(&mut world, from, now));
        }
    }
    let truth = world.truth(START, START + DAY);
    assert!(truth.calls[&0] > 1000);
    assert!(truth.deleted[&0] > 10);
    let listed = |counts: &BTreeMap<u8, BTreeMap<u16, u64>>| {
        counts.values().flat_map(BTreeMap::values).sum::<u64>()
    };
    assert_eq!(
        listed(&truth.first_final) + listed(&truth.never_final),
        truth.calls.values().sum::<u64>()
    );
}

#[test]
fn a_scenario_changes_only_later_calls() {
    let now = START + DAY / 2 + 17;
    for seen in [now, now + 100] {
        let mut quiet = World::new(eventful());
        let mut troubled = World::new(eventful());
        let before = all_properties(&mut troubled, START, seen);
        troubled.set_scenario(
            Scenario {
                asr_failing: 1.0,
                ..Scenario::default()
            },
            now,
        );
        let later = seen + DAY / 2;
        assert_eq!(before, all_properties(&mut quiet, START, seen));
        let after = all_properties(&mut troubled, START, later);
        assert_eq!(before, after[..before.len()]);
        // The same calls arrive; only their statuses differ.
        let uuids = |world: &mut World| -> Vec<String> {
            world
                .calls(START, later, later)
                .map(|call| call.uuid())
                .collect()
        };
        assert_eq!(uuids(&mut quiet), uuids(&mut troubled));
        let failed = troubled
            .calls(seen + 1, later, later)
            .filter(|call| call.call_type() == 0)
            .filter_map(|call| call.first_final(u32::MAX - 1));
        let codes: HashSet<u16> = failed.map(|(_, code)| code).collect();
        assert_eq!(codes, HashSet::from([32]));
    }
}

#[test]
fn each_scenario_has_its_effect() {
    let now = START + DAY / 2;
    let end = now + DAY;
    let under = |scenario: Scenario| {
        let mut world = World::new(eventful());
        world.truth(START, now);
        world.set_scenario(scenario, now);
        world
    };
    let mut world = under(Scenario {
        dried_up: true,
        ..Scenario::default()
    });
    assert_eq!(world.calls(now + 1, end, end).count(), 0);
    world.set_scenario(Scenario::default(), end);
    assert_ne!(world.calls(now + 1, end + DAY, end + DAY).count(), 0);

    for stage in [0, 3, 1] {
        let mut world = under(Scenario {
            stuck: Some(stage),
            ..Scenario::default()
        });
        let mut stuck = 0;
        for call in world.calls(now + 1, end, end) {
            let steps = transitions(&call);
            if let Some(at) = steps.iter().position(|&(_, status)| status == stage) {
                assert_eq!(at, steps.len() - 1, "{steps:?}");
                stuck += 1;
            }
        }
        assert!(stuck > 1000, "{stuck} at {stage}");
    }

    let mut world = under(Scenario {
        quota_exhausted: 1.0,
        ..Scenario::default()
    });
    let mut calls = world.calls(now + 1, end, end);
    assert!(calls.all(|call| {
        call.first_final(u32::MAX - 1)
            .is_some_and(|(_, code)| code == 9)
    }));
    drop(calls);

    let means = |world: &mut World| {
        let truth = world.truth(now + 1, end);
        let mean = |sum: Sum| sum.millionths as f64 / sum.count as f64;
        (
            mean(truth.speed[&Role::Staff]),
            mean(truth.silence[&Role::Staff]),
        )
    };
    let (speed, silence) = means(&mut under(Scenario::default()));
    let (fast, _) = means(&mut under(Scenario {
        fast_speech: true,
        ..Scenario::default()
    }));
    let (_, long) = means(&mut under(Scenario {
        long_silence: true,
        ..Scenario::default()
    }));
    assert!(fast > 1.5 * speed);
    assert!(long > 1.2 * silence);
}
