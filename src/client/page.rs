//! A page of the list of calls.

use serde_json::json;

use super::failure::RequestContext;
use super::report::Api;
use super::{HttpClient, Unsuccessful, retry};
use crate::config::Target;
use crate::model::Status;
use crate::upstream::response::{PageRules, ParsedPage};
use crate::upstream::{Filter, Page, PageRequest};

/// Limits on the decompressed size. A row has about 800 bytes; `limit` may count groups of several.
const MAX_BYTES_PER_ROW: usize = 16 << 10;
const MIN_PAGE_BYTES: usize = 1 << 20;
const MAX_PAGE_BYTES: usize = 64 << 20;
/// Accepted rows per requested row, since `limit` may count groups.
const MAX_ROWS_PER_ROW: usize = 20;
/// Accepted in addition, for small limits.
const SPARE_ROWS: usize = 1000;

impl HttpClient {
    pub(super) async fn attempt_page(
        &self,
        page_request: &PageRequest,
        may_renew: bool,
    ) -> Result<Page, Unsuccessful> {
        // The semaphore is never closed. The token is fetched after it: one from before the wait
        // might have expired. The permit is released before a backoff.
        let _permit = self.permits.acquire().await;
        let not_paused = self.throttle.wait_for_pause(retry::MAX_WAIT).await;
        not_paused.map_err(Unsuccessful::Final)?;
        let token = self.token().await.map_err(Unsuccessful::Final)?;
        let target = &self.target;
        let limit = page_request.limit as usize;
        let call_types = target.call_types.iter();
        let body = json!({
            "upload_from": page_request.window.from,
            "upload_to": page_request.window.to,
            "call_types": call_types.map(|call_type| call_type.number()).collect::<Vec<_>>(),
            "status": status_codes(target, page_request.filter),
            "limit": page_request.limit,
            "page": page_request.page,
        });
        let request = self.request(Api::Details, Some(&token), &body);
        let secrets = self.credentials.lock().secrets.with_token(&token.text);
        let context = RequestContext {
            page: Some(page_request.page),
            ..self.context(Api::Details, &secrets)
        };
        let rules = PageRules {
            page: page_request.page,
            max_rows: limit
                .saturating_mul(MAX_ROWS_PER_ROW)
                .saturating_add(SPARE_ROWS),
            success_codes: &target.success_codes,
            keep_texts: target.teams_file.is_some() || target.agents || target.results.is_some(),
        };
        let parse = |body: &[u8]| rules.parse(body);
        let max_body = limit.saturating_mul(MAX_BYTES_PER_ROW);
        let max_body = max_body.clamp(MIN_PAGE_BYTES, MAX_PAGE_BYTES);
        self.throttle.admit().await;
        let sent = self.send(request, context, max_body, parse).await;
        let ParsedPage { page, example } = self.judge(sent, &token, &self.throttle, may_renew)?;
        if example.is_some() {
            *self.example.lock() = example;
        }
        Ok(page)
    }
}

/// The vendor's numbers of the statuses to request.
fn status_codes(target: &Target, filter: Filter) -> Vec<i16> {
    (target.statuses())
        .filter(|status| filter == Filter::All || !status.is_final())
        .map(Status::number)
        .collect()
}
