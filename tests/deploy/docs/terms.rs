//! Chinese texts use the terms of the vendor and of the monitoring world, and one term for a thing.

use super::page::files_below;
use crate::support::tools::read;

/// A word that is not used, and what is used in its place.
const REJECTED: [(&str, &str); 24] = [
    ("看板", "仪表盘"),
    ("端点", "HTTP 接口, 接入地址"),
    ("拉取", "同步 for a pull, 抓取 for a scrape"),
    ("厂商", "云客服侧"),
    ("供应商", "云客服侧"),
    ("坐席", "座席"),
    ("令牌", "Token"),
    ("账本", "台账"),
    ("分类账", "台账"),
    ("导出器", "exporter"),
    ("一通电话", "一条通话记录"),
    ("运行书", "处理手册"),
    ("处置说明", "处理手册"),
    ("记录规则", "预聚合规则"),
    ("录音规则", "预聚合规则"),
    ("应答", "响应, 返回"),
    ("语音转文字", "转写"),
    ("租户空间", "租间"),
    ("允许列表", "白名单"),
    ("上诉", "申诉"),
    ("量规", "gauge"),
    ("回看", "回溯窗口"),
    ("重新比对", "全量核对"),
    ("最终地位", "终态"),
];

#[test]
fn chinese_texts_use_the_agreed_terms() {
    let chinese = |path: &str| {
        path.ends_with(".zh-CN.md") || path.contains("zh-CN/") || path.ends_with("zh.libsonnet")
    };
    let mut files = vec!["README.zh-CN.md".to_owned()];
    for folder in ["docs", "deploy", "dashboards", "mixin"] {
        files.extend(files_below(folder, &chinese));
    }
    assert!(files.len() > 40, "{}", files.len());
    let mut found = Vec::new();
    for file in files {
        for (number, line) in read(&file).lines().enumerate() {
            for (term, instead) in REJECTED {
                if line.contains(term) {
                    found.push(format!("{file}:{}: {term}, use {instead}", number + 1));
                }
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Comments in the examples and words in the diagrams are for readers as well.
#[test]
fn chinese_pages_have_no_english_comments() {
    let chinese = |path: &str| path.ends_with(".zh-CN.md");
    let mut files = files_below("docs", &chinese);
    files.push("README.zh-CN.md".to_owned());
    let mut found = Vec::new();
    for file in files {
        let text = read(&file);
        for code in text.split("\n```").skip(1).step_by(2) {
            for line in code.lines() {
                let comment = line.split_once("# ").map_or("", |(_, comment)| comment);
                let is_diagram = code.contains('▶');
                let words = if is_diagram { line } else { comment };
                // Names stay as they are; three words of English in a row are a sentence.
                let mut in_a_row = 0;
                for word in words.split_whitespace() {
                    let is_english =
                        word.len() > 1 && word.bytes().all(|b| b.is_ascii_alphabetic());
                    in_a_row = if is_english { in_a_row + 1 } else { 0 };
                    if in_a_row == 3 {
                        found.push(format!("{file}: {line}"));
                    }
                }
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}
