//! The inspection result of one call.

use std::time::Duration;

use serde_json::json;

use super::{HttpClient, Unsuccessful};
use crate::model::Inspection;
use crate::upstream::failure::RequestContext;
use crate::upstream::response::parse_inspection;
use crate::upstream::{Api, Error};

/// Limit on the decompressed size of a response. A rule has about 300 bytes.
const MAX_BODY: usize = 4 << 20;

impl HttpClient {
    /// One attempt, and another if the token was refused. The caller's queue retries everything
    /// else, so that a failing call holds up no other.
    pub(super) async fn read_inspection(&self, call_uuid: &str) -> Result<Inspection, Error> {
        let mut may_renew = true;
        loop {
            match self.attempt_inspection(call_uuid, may_renew).await {
                Ok(inspection) => return Ok(inspection),
                Err(Unsuccessful::Renewed) => may_renew = false,
                Err(Unsuccessful::Failed(failure)) => return Err(failure.error),
                Err(Unsuccessful::Final(error)) => return Err(error),
            }
        }
    }

    async fn attempt_inspection(
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
        let request = self.api_request(
            &self.inspection_url,
            &token,
            &json!({ "call_uuid": call_uuid }),
        );
        let secrets = self.credentials.get().secrets;
        let context = RequestContext {
            api: Api::Credit,
            url: &self.inspection_url,
            page: None,
            secrets: &secrets,
            token: Some(token.text()),
            settings: &self.settings,
        };
        let parse = |body: &[u8]| parse_inspection(body, &self.settings.success_codes);
        let sent = self.send(request, context, MAX_BODY, parse).await;
        self.judge(sent, &token, &self.inspection_throttle, may_renew)
    }
}
