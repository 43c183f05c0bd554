//! An answer may break off anywhere.

use chat::contracts::EndOfAnswer;
use chat::types::ReplyErrorKind;

use crate::asking::{KINDS, model, said, settings};
use crate::server::{Server, Step, chunked, ended_at, good, stream};

#[tokio::test]
async fn an_answer_cut_at_any_byte_is_a_beginning_and_never_a_success_before_its_end() {
    for kind in KINDS {
        for whole in [stream(good(kind)), chunked(good(kind))] {
            let ended = ended_at(&whole, good(kind));
            let scripts = (0..=whole.len()).map(|cut| vec![Step::Send(whole[..cut].to_vec())]);
            let server = Server::start(scripts.collect()).await;
            let model = model(settings(kind, &server.base));
            for cut in 0..=whole.len() {
                let said = said(&model).await;
                assert!("hm".starts_with(&said.reasoning), "{cut} {said:?}");
                assert!("Hällo 😀".starts_with(&said.text), "{cut} {said:?}");
                match &said.end {
                    Some(Ok(EndOfAnswer::Complete)) => assert!(cut >= ended, "{cut} {said:?}"),
                    Some(Err(error)) => {
                        assert!(cut < ended, "{cut} {said:?}");
                        assert_eq!(error.kind, ReplyErrorKind::Network, "{cut} {said:?}");
                    }
                    _ => panic!("{cut} {said:?}"),
                }
            }
        }
    }
}
