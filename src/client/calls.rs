//! The requests about calls: a page of the list, and the inspection result of one call.

use std::time::Duration;

use serde_json::json;

use super::api::Api;
use super::{HttpClient, Unsuccessful, retry};
use crate::model::{Inspection, Status};
use crate::upstream::response::{PageRules, parse_inspection};
use crate::upstream::{Filter, Page, PageRequest};

/// Limits on the decompressed size. A row has about 800 bytes; `limit` may count groups of several.
const MAX_BYTES_PER_ROW: usize = 16 << 10;
const MIN_PAGE_BYTES: usize = 1 << 20;
const MAX_PAGE_BYTES: usize = 64 << 20;
/// The same of an inspection result. A rule has about 300 bytes.
const MAX_RESULT_BYTES: usize = 4 << 20;
/// Accepted rows per requested row, since `limit` may count groups.
const MAX_ROWS_PER_ROW: usize = 20;
/// Accepted in addition, for small limits.
const SPARE_ROWS: usize = 1000;

impl HttpClient {
    pub(super) async fn attempt_page(
        &self,
        request: &PageRequest,
        may_renew: bool,
    ) -> Result<Page, Unsuccessful> {
        // The semaphore is never closed. The token is fetched after it: one from before the wait
        // might have expired. The permit is released before a backoff.
        let _permit = self.permits.acquire().await;
        let not_paused = self.throttle.wait_for_pause(retry::MAX_WAIT).await;
        not_paused.map_err(Unsuccessful::Final)?;
        let token = self.token().await.map_err(Unsuccessful::Final)?;
        let (target, page) = (&self.target, request.page);
        let limit = request.limit as usize;
        let call_types = target.call_types.iter();
        let statuses = (target.statuses())
            .filter(|status| request.filter == Filter::All || !status.is_final())
            .map(Status::number);
        let body = json!({
            "upload_from": request.window.from,
            "upload_to": request.window.to,
            "call_types": call_types.map(|call_type| call_type.number()).collect::<Vec<_>>(),
            "status": statuses.collect::<Vec<_>>(),
            "limit": limit,
            "page": page,
        });
        let rules = PageRules {
            page,
            max_rows: limit * MAX_ROWS_PER_ROW + SPARE_ROWS,
            success_codes: &target.success_codes,
            keep_texts: target.teams_file.is_some() || target.agents || target.results.is_some(),
        };
        let parse = |body: &[u8]| rules.parse(body);
        let max_body = (limit * MAX_BYTES_PER_ROW).clamp(MIN_PAGE_BYTES, MAX_PAGE_BYTES);
        self.throttle.admit().await;
        let sent = self.send(
            Api::Details,
            Some(&token),
            Some(page),
            &body,
            max_body,
            parse,
        );
        self.judge(sent.await, &token, &self.throttle, may_renew)
    }

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
        let parse = |body: &[u8]| parse_inspection(body, &self.target.success_codes);
        let sent = self.send(
            Api::Credit,
            Some(&token),
            None,
            &body,
            MAX_RESULT_BYTES,
            parse,
        );
        self.judge(sent.await, &token, &self.inspection_throttle, may_renew)
    }
}
