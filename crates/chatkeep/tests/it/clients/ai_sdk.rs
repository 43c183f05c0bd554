//! `ai`: the oldest versions of two majors, which refuse what they do not know, the newest, and the current major.

use super::run;
use crate::talk::Talk;

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_of_the_ai_sdk_sends_resumes_stops_and_calls_tools() {
    for version in ["ai5", "ai5-newest", "ai6", "ai6-newest", "ai7"] {
        let talk = Talk::start();
        let figures = run(&talk, &talk.server.base, "ai_sdk/chat.mjs", &[version]);
        let calls = talk.provider.calls();
        // What is refused is tried again by the server.
        let calls = calls.iter().filter(|call| !call.prompt.contains("status="));
        assert_eq!(calls.count() as u64, figures["calls"]);
    }
}
