use super::*;

fn read(text: &str) -> Result<Trace, TraceError> {
    let mut reader = Reader::new();
    reader.push(text.as_bytes())?;
    reader.finish()
}

const MOONCAKE: &str = r#"{"timestamp": 500, "input_length": 1200, "output_length": 20, "hash_ids": [1, 2, 3]}
{"timestamp": 100, "input_length": 1030, "output_length": 10, "hash_ids": [1, 2, 9]}

{"timestamp": 900.5, "input_length": 600, "output_length": 5}
"#;

#[test]
fn mooncake_rows_are_ordered_and_their_prefixes_found() {
    let trace = read(MOONCAKE).unwrap();
    let rows: Vec<_> = trace.rows.iter().map(|row| (row.at_ms, row.isl, row.osl, row.cached)).collect();
    assert_eq!(rows, [(0.0, 1030, 10, Some(1024)), (400.0, 1200, 20, Some(0)), (800.5, 600, 5, Some(0))]);
    assert_eq!((trace.format, trace.lines), (Format::Mooncake, 4));
    let facts = trace.facts();
    assert_eq!((facts.requests, facts.length_ms), (3, 800.5));
    assert!((facts.hit_rate.unwrap() - 1024.0 / 2830.0).abs() < 1e-12);
}

#[test]
fn pieces_of_any_size_read_the_same() {
    let whole = read(MOONCAKE).unwrap();
    for size in 1..40 {
        let mut reader = Reader::new();
        for piece in MOONCAKE.as_bytes().chunks(size) {
            reader.push(piece).unwrap();
        }
        assert_eq!(reader.finish().unwrap(), whole, "{size}");
    }
}

#[test]
fn sessions_follow_their_delays() {
    let trace = read(
        r#"{"timestamp": 0, "input_length": 10, "output_length": 1, "session_id": "a"}
{"delay": 250, "input_length": 20, "output_length": 1, "session_id": "a"}
{"delay": 250, "input_length": 30, "output_length": 1, "session_id": "a"}"#,
    );
    let trace = trace.unwrap();
    assert_eq!(trace.rows.iter().map(|row| row.at_ms).collect::<Vec<_>>(), [0.0, 250.0, 500.0]);
    assert_eq!((trace.placed, trace.rows[0].cached), (2, None));
}

#[test]
fn dynamo_requests_are_taken_at_their_end() {
    let trace = read(
        r#"{"schema":"dynamo.request.trace.v1","event_type":"request_start","event_time_unix_ms":1700000000000}
{"schema":"dynamo.request.trace.v1","event_type":"request_end","event_time_unix_ms":1700000009000,"request":{"request_received_ms":1700000001000,"output_tokens":7,"replay":{"trace_block_size":64,"input_length":130,"input_sequence_hashes":[18446744073709551615,5]}}}
{"event_type":"request_end","event_time_unix_ms":1700000001500,"request":{"output_tokens":9,"replay":{"trace_block_size":64,"input_length":200,"input_sequence_hashes":[4,5]}}}"#,
    );
    let trace = trace.unwrap();
    assert_eq!(trace.format, Format::DynamoRequests);
    let rows: Vec<_> = trace.rows.iter().map(|row| (row.at_ms, row.isl, row.osl)).collect();
    assert_eq!(rows, [(0.0, 130, 7), (500.0, 200, 9)]);
}

#[test]
fn burstgpt_has_seconds_and_columns_by_name() {
    let trace = read(
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\r\n\
         5,ChatGPT,472,18,490,Conversation log\r\n45.5,ChatGPT,1087,230,1317,API log\n50,GPT-4,3,0,3,API log\n",
    );
    let trace = trace.unwrap();
    let rows: Vec<_> = trace.rows.iter().map(|row| (row.at_ms, row.isl, row.osl, row.cached)).collect();
    assert_eq!(rows, [(0.0, 472, 18, None), (40500.0, 1087, 230, None)]);
    assert_eq!((trace.empty, trace.prefixes), (1, false));
}

#[test]
fn shards_continue_a_trace() {
    let mut reader = Reader::new();
    reader.push(br#"{"timestamp": 5, "input_length": 1, "output_length": 1}"#).unwrap();
    reader.end_file().unwrap();
    reader.push(br#"{"timestamp": 1, "input_length": 2, "output_length": 2}"#).unwrap();
    let trace = reader.finish().unwrap();
    assert_eq!(trace.rows.iter().map(|row| row.isl).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn what_is_wrong_has_its_line() {
    for (text, part) in [
        ("", "no requests"),
        ("\n\n", "no requests"),
        ("hello", "line 1 is neither"),
        ("{\"a\": 1}", "line 1 is neither"),
        ("{\"schema\":\"dynamo.agentic_mooncake\"}", "describes agents"),
        ("{\"timestamp\": -1, \"input_length\": 1, \"output_length\": 1}", "timestamp is -1"),
        ("{\"timestamp\": true, \"input_length\": 1, \"output_length\": 1}", "boolean"),
        ("{\"timestamp\": 1, \"input_length\": -1, \"output_length\": 1}", "-1"),
        ("{\"timestamp\": 1, \"input_length\": 1}", "output_length"),
        ("{\"delay\": 1, \"input_length\": 1, \"output_length\": 1}", "no turn of its session"),
        ("{\"input_length\": 1, \"output_length\": 1}", "timestamp is missing"),
        ("{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1}\n{", "line 2"),
        ("Timestamp,Request tokens,Response tokens\n1,x,3", "line 2: Request tokens is \"x\""),
        ("Timestamp,Request tokens,Response tokens\nNaN,1,3", "Timestamp is \"NaN\""),
        ("Timestamp,Request tokens,Response tokens\n1", "Request tokens is missing"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let mixed = "{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1}\nTimestamp,Request tokens,Response tokens";
    assert!(matches!(read(mixed), Err(TraceError::Mixed { line: 2, .. })));
    let mut reader = Reader::new();
    let long = vec![b'a'; MAX_LINE + 1];
    assert_eq!(reader.push(&long), Err(TraceError::Long { line: 1 }));
}
