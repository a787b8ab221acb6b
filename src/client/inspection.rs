//! The inspection result of one call.

use std::time::Duration;

use serde_json::json;

use super::report::Api;
use super::{HttpClient, Unsuccessful};
use crate::model::Inspection;
use crate::upstream::response::parse_inspection;

/// Limit on the decompressed size of a response. A rule has about 300 bytes.
const MAX_BODY: usize = 4 << 20;

impl HttpClient {
    pub(super) async fn attempt_inspection(
        &self,
        call_uuid: &str,
        may_renew: bool,
    ) -> Result<Inspection, Unsuccessful> {
        // A pause of the list pauses this too: the vendor's limit may count both.
        for throttle in [&self.throttle, &self.inspection_throttle] {
            let not_paused = throttle.wait_for_pause(Duration::ZERO).await;
            not_paused.map_err(Unsuccessful::Final)?;
        }
        self.inspection_throttle.admit().await;
        // Only now: a request that waits for its turn must not keep one for a page from being sent.
        let _permit = self.permits.acquire().await;
        let token = self.token().await.map_err(Unsuccessful::Final)?;
        let body = json!({ "call_uuid": call_uuid });
        let request = self.request(Api::Credit, Some(&token), &body);
        let secrets = self.credentials.lock().secrets.with_token(&token.text);
        let context = self.context(Api::Credit, &secrets);
        let parse = |body: &[u8]| parse_inspection(body, &self.target.success_codes);
        let sent = self.send(request, context, MAX_BODY, parse).await;
        self.judge(sent, &token, &self.inspection_throttle, may_renew)
    }
}
