use engine::cluster::{Count, Latency, Loop, Role};

use super::*;

fn sample(at_ms: u64, ttft_ms: Option<f64>) -> Sample {
    let count = Count { desired: Some(2), starting: Some(1), ready: Some(1), ..Count::default() };
    Sample {
        at_ms,
        requests_per_sec: Some(2.0),
        predicted_per_sec: Some(3.0),
        capacity_per_sec: Some(5.0),
        ttft_ms,
        itl_ms: Some(12.0),
        prefill: count,
        decode: Count { desired: Some(1), ready: Some(1), ..Count::default() },
        queued_tokens: Some(3000.0),
        gpus: Some(3),
        ..Sample::default()
    }
}

fn decision(at_ms: u64, from: u32, to: u32, ready_ms: Option<u64>) -> Decision {
    Decision {
        at_ms,
        role: Role::Prefill,
        from,
        to,
        ready: Some(1),
        by: Loop::Load,
        reason: Some("scale_up".to_owned()),
        estimated: Latency { ttft_ms: Some(36_920.0), itl_ms: None },
        cancels: false,
        ready_ms,
    }
}

/// Ten minutes, one sample a second; TTFT is 190 ms but for a storm from 60 s to 100 s.
fn storm() -> TimelineData {
    let samples = (0..600u64)
        .map(|second| {
            let ttft = if (60..100).contains(&second) { 36_000.0 } else { 190.0 };
            sample(second * 1000, Some(ttft))
        })
        .collect();
    let decisions = vec![decision(65_000, 1, 2, Some(245_000)), decision(400_000, 2, 1, None)];
    TimelineData {
        run: Run { samples, decisions },
        slo: Slo { ttft_ms: Some(500.0), itl_ms: Some(30.0) },
        gpus_most: Some(8),
        window: (0, 600_000),
        step_ms: 1000,
        ..TimelineData::default()
    }
}

fn lane(vm: &TimelineVm, lane: Lane) -> &LaneVm {
    vm.lanes.iter().find(|have| have.lane == lane).unwrap()
}

#[test]
fn lanes_share_the_axis_and_do_not_overlap() {
    for width in [320.0, 390.0, 1100.0] {
        let vm = TimelineVm::new(&storm(), width);
        assert_eq!(vm.lanes.len(), 7);
        for pair in vm.lanes.windows(2) {
            assert!(pair[0].bottom < pair[1].head && pair[1].head < pair[1].top);
        }
        for lane in &vm.lanes {
            let corners = lane.lines.iter().flat_map(|line| &line.path);
            for &(x, y) in corners.chain(lane.fills.iter().flat_map(|fill| &fill.corners)) {
                assert!(x >= vm.plot.0 - 1.5 && x <= vm.plot.1 + 1.5, "{width} {:?} {x}", lane.lane);
                assert!(y >= lane.top - 1e-6 && y <= lane.bottom + 1e-6, "{width} {:?} {y}", lane.lane);
            }
            for (y, _) in &lane.ticks {
                assert!((lane.top..=lane.bottom).contains(y));
            }
        }
        assert!(vm.marks_y < vm.axis_y && vm.axis_y < vm.size.1);
    }
}

#[test]
fn what_nobody_knows_has_no_lane_and_no_line() {
    let empty = TimelineVm::new(&TimelineData::default(), 800.0);
    let lanes: Vec<Lane> = empty.lanes.iter().map(|lane| lane.lane).collect();
    assert_eq!(lanes, [Lane::Decode, Lane::Load, Lane::Ttft, Lane::Itl]);
    assert!(empty.lanes.iter().all(|lane| lane.lines.is_empty() && lane.fills.is_empty()));
    assert!(empty.lanes[0].says.contains("nothing known"));
}

#[test]
fn missing_values_and_silence_are_gaps() {
    let mut data = storm();
    for sample in &mut data.run.samples[200..210] {
        sample.ttft_ms = None;
    }
    data.run.samples.drain(300..340);
    let vm = TimelineVm::new(&data, 1000.0);
    let observed = lane(&vm, Lane::Ttft).lines.iter().filter(|line| line.tone == Tone::Ink).count();
    assert_eq!(observed, 3);
    let arriving = lane(&vm, Lane::Load).lines.iter().filter(|line| line.width == 1.6).count();
    assert_eq!(arriving, 2);
    let read = readout(&data, 205_000);
    assert_eq!(read.items(Lane::Ttft)[0].value, "–");
    assert_eq!(readout(&data, 320_000).items(Lane::Load)[0].value, "–");
}

#[test]
fn a_hundred_thousand_samples_become_columns() {
    let samples = (0..100_000u64)
        .map(|at| sample(at * 100, Some(if at == 50_000 { 90_000.0 } else { 100.0 + (at % 7) as f64 })))
        .collect();
    let data = TimelineData {
        run: Run { samples, ..Run::default() },
        window: (0, 10_000_000),
        step_ms: 100,
        ..storm()
    };
    let vm = TimelineVm::new(&data, 800.0);
    let observed = lane(&vm, Lane::Ttft).lines.iter().find(|line| line.tone == Tone::Ink).unwrap();
    assert!(observed.path.len() < 4 * 800, "{}", observed.path.len());
    let highest = observed.path.iter().map(|&(_, y)| y).fold(f64::INFINITY, f64::min);
    let others = observed.path.iter().filter(|&&(_, y)| y < highest + 20.0).count();
    assert!(others >= 1, "the one spike is seen");
}

#[test]
fn wide_latencies_are_logarithmic_and_above_the_target_is_filled() {
    let vm = TimelineVm::new(&storm(), 1000.0);
    let ttft = lane(&vm, Lane::Ttft);
    let labels: Vec<&str> = ttft.ticks.iter().map(|(_, label)| label.as_str()).collect();
    assert_eq!(labels, ["1,000", "10,000"]);
    let over: Vec<&Fill> = ttft.fills.iter().filter(|fill| fill.tone == Tone::Bad).collect();
    assert_eq!(over.len(), 1);
    let (from, to) = (vm.x(59_000).unwrap(), vm.x(101_000).unwrap());
    assert!(over[0].corners.iter().all(|&(x, _)| (from..=to).contains(&x)));
    assert!(lane(&vm, Lane::Itl).fills.is_empty(), "never above the target");
    assert!(
        ttft.says.contains("highest 36,000 at 1:00") && ttft.says.contains("beyond it 6 %"),
        "{}",
        ttft.says
    );
}

#[test]
fn decisions_are_numbered_and_share_a_mark_where_they_crowd() {
    let vm = TimelineVm::new(&storm(), 1000.0);
    let marks: Vec<(Kind, &str)> = vm.marks.iter().map(|mark| (mark.kind, mark.number.as_str())).collect();
    assert_eq!(marks, [(Kind::Up, "1"), (Kind::Ready, "1"), (Kind::Down, "2")]);
    assert!(vm.marks[0].says.starts_with("1:05: Prefill 1 → 2, by the load loop."), "{}", vm.marks[0].says);
    let narrow = TimelineVm::new(&TimelineData { window: (0, 60_000_000), ..storm() }, 400.0);
    assert_eq!(narrow.marks.len(), 1);
    assert_eq!((narrow.marks[0].kind, narrow.marks[0].number.as_str()), (Kind::Several, "1–2"));
    for pair in vm.marks.windows(2) {
        assert!(pair[1].x - pair[0].x >= 24.0);
    }
    let mut data = storm();
    data.run.decisions[1].cancels = true;
    assert_eq!(TimelineVm::new(&data, 1000.0).marks[2].kind, Kind::Cancelled);
}

#[test]
fn the_cursor_reads_every_lane() {
    let data = storm();
    let read = readout(&data, 70_500);
    assert_eq!(read.time, "1:10");
    let ttft = read.items(Lane::Ttft);
    assert_eq!((ttft[0].value.as_str(), ttft[0].over), ("36,000", true));
    assert_eq!(ttft[2].value, "500");
    assert_eq!(
        read.items(Lane::Prefill).iter().map(|item| item.label).collect::<Vec<_>>(),
        ["ready", "starting", "desired"]
    );
    assert!(read.decision.as_deref().unwrap().contains("36,920 ms"));
    assert_eq!(readout(&data, 10_000).decision, None);
    let says = read.sentence(false);
    assert!(
        says.starts_with("1:10. Prefill workers: 1 ready") && says.contains("36,000 observed, over"),
        "{says}"
    );
}

#[test]
fn two_runs_are_drawn_and_read_side_by_side() {
    let mut data = storm();
    let samples = data.run.samples.iter().map(|sample| Sample { ttft_ms: Some(240.0), ..*sample }).collect();
    data.other = Some(Run { samples, decisions: Vec::new() });
    let vm = TimelineVm::new(&data, 1000.0);
    for lane in &vm.lanes {
        assert!(lane.lines.iter().any(|line| line.tone == Tone::Other && line.dashed), "{:?}", lane.lane);
    }
    let ttft = readout(&data, 70_000);
    assert_eq!(ttft.items(Lane::Ttft)[3].value, "240");
}

#[test]
fn moments_and_pixels_agree() {
    let vm = TimelineVm::new(&storm(), 1000.0);
    let x = vm.x(123_000).unwrap();
    assert!(vm.at(x).abs_diff(123_000) <= 1);
    assert_eq!(vm.at(-50.0), 0);
    assert_eq!(vm.at(5000.0), 600_000);
    assert_eq!(vm.x(600_001), None);
}

#[test]
fn times_are_round_where_they_are_read() {
    let labels =
        |window, clock| time::ticks(window, 6, clock).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
    assert_eq!(labels((0, 300_000), Clock::Elapsed), ["0:00", "1:00", "2:00", "3:00", "4:00", "5:00"]);
    assert_eq!(labels((0, 7_200_000), Clock::Elapsed)[1], "0:30 h");
    // A quarter to six, a quarter of an hour off the full hour of UTC.
    let wall = labels((1_700_000_000_000, 1_700_003_600_000), Clock::Wall { ahead_min: 345 });
    assert!(wall.iter().all(|label| label.ends_with(['0', '5'])), "{wall:?}");
    assert!(!time::ticks((0, u64::MAX), 6, Clock::Elapsed).is_empty());
    assert!(time::ticks((5, 5), 6, Clock::Elapsed).len() <= 1);
}

#[test]
fn keys_move_the_cursor() {
    let window = (0, 600_000);
    assert_eq!(step("ArrowRight", 5_000, window, 1000), Some(7_500));
    assert_eq!(step("ArrowLeft", 1_000, window, 1000), Some(0));
    assert_eq!(step("PageUp", 0, window, 1000), Some(60_000));
    assert_eq!(step("End", 0, window, 1000), Some(600_000));
    assert_eq!(step("x", 0, window, 1000), None);
    assert_eq!(step("ArrowRight", u64::MAX, (0, u64::MAX), 1000), Some(u64::MAX));
}

#[test]
fn hostile_samples_do_not_break_it() {
    let mut data = storm();
    data.run.samples[3].ttft_ms = Some(f64::NAN);
    data.run.samples[4].ttft_ms = Some(-5.0);
    data.run.samples[5].queued_tokens = Some(f64::MAX);
    data.run.samples[6].prefill.ready = Some(u32::MAX);
    data.slo.ttft_ms = Some(f64::INFINITY);
    data.window = (u64::MAX, 0);
    let vm = TimelineVm::new(&data, 0.0);
    assert!(vm.size.1.is_finite());
    drop(TimelineVm::new(&TimelineData { window: (0, u64::MAX), ..data }, 900.0));
}
