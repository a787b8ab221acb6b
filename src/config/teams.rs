//! The file that says which team an agent belongs to: CSV with the columns `staff_id` and `team`.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::files;
use crate::model::{Teams, label_text};

/// Largest file in bytes: a hundred thousand agents fit in a tenth.
const MAX_BYTES: u64 = 32 << 20;
/// Most teams. Each costs a comparison per row; `max_teams` limits the series.
const MAX_TEAMS: usize = 10_000;

/// Reads a file of teams. Blocks.
///
/// Columns may be in any order, and others are ignored. The error says in which line the file is
/// not as expected; it is never used in part.
pub fn read_teams(path: &Path) -> Result<Teams, String> {
    // Reading a named pipe would wait for its writer for ever.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return Err("it is not a regular file".to_owned());
    }
    let bytes = files::read(path, MAX_BYTES).map_err(|error| error.to_string())?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Teams, String> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(bytes);
    let headers = reader.headers().map_err(|error| explain(&error))?;
    let column = |name: &str| {
        let mut columns = (0..headers.len()).filter(|column| &headers[*column] == name);
        match (columns.next(), columns.next()) {
            (Some(column), None) => Ok(column),
            (Some(_), Some(_)) => Err(format!("line 1: two columns are named {name}")),
            (None, _) => Err(format!(
                "line 1: expected the columns staff_id and team, but {name} is missing"
            )),
        }
    };
    let (staff_column, team_column) = (column("staff_id")?, column("team")?);
    let is_unbalanced = !bytes
        .iter()
        .filter(|byte| **byte == b'"')
        .count()
        .is_multiple_of(2);
    let mut teams = Teams::default();
    let mut row = StringRecord::new();
    while reader
        .read_record(&mut row)
        .map_err(|error| explain(&error))?
    {
        let line = row.position().map_or(0, csv::Position::line);
        let field = |column| row.get(column).unwrap_or_default();
        // It swallows the rows up to the next quote, or to the end of the file.
        let is_open = |(column, text): (usize, &str)| {
            let is_read = column == staff_column || column == team_column;
            (is_read || is_unbalanced) && text.contains(['\n', '\r'])
        };
        if row.iter().enumerate().any(is_open) {
            return Err(format!("line {line}: a quote is not closed"));
        }
        let (staff_id, team) = (field(staff_column), label_text(field(team_column)));
        for (name, value) in [("staff_id", staff_id), ("team", &team)] {
            if value.is_empty() {
                return Err(format!("line {line}: {name} is empty"));
            }
        }
        if staff_id.contains("E+") && staff_id.parse::<f64>().is_ok() {
            return Err(format!(
                "line {line}: a spreadsheet rounded the staff_id to {staff_id}; format the column as \
                 text, and enter the ids again"
            ));
        }
        teams.assign(staff_id, &team).map_err(|other| {
            let staff_id = label_text(staff_id);
            format!("line {line}: {staff_id} is in the team {other} already")
        })?;
        if teams.names().len() > MAX_TEAMS {
            return Err(format!("line {line}: more than {MAX_TEAMS} teams"));
        }
    }
    Ok(teams)
}

fn explain(error: &csv::Error) -> String {
    let line = error.position().map_or(1, csv::Position::line);
    let what = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => {
            "not valid UTF-8; save it as \"CSV UTF-8\" or convert it with iconv".to_owned()
        }
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("expected {expected_len} columns as in the first line, got {len}"),
        _ => error.to_string(),
    };
    format!("line {line}: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("teams.csv");
        std::fs::write(&path, text).unwrap();
        let teams = read_teams(&path)?;
        let known = ["1", "2", "007", "座席"].into_iter();
        let team = |id| teams.of(id).map(|team| (id.to_owned(), team.to_owned()));
        Ok(known.filter_map(team).collect())
    }

    #[test]
    fn columns_are_found_by_name() {
        let expected = [("1", "东区"), ("007", "西区, 二组")]
            .map(|(id, team)| (id.to_owned(), team.to_owned()));
        for text in [
            "staff_id,team\n1,东区\n007,\"西区, 二组\"\n",
            "\u{feff}staff_id,team\r\n1,东区\r\n007,\"西区, 二组\"\r\n",
            "name, team ,staff_id\n李, 东区 , 1\n王,\"西区, 二组\", 007 \n\n",
            "staff_id,team\n1,东区\n007,\"西区,\u{202e} 二组\"\n1,东区",
            "staff_id,team,note\n1,东区,\"two\nlines\"\n007,\"西区, 二组\",x",
        ] {
            assert_eq!(pairs(text).unwrap(), expected, "{text:?}");
        }
        assert_eq!(pairs("staff_id,team\n").unwrap(), []);
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let error = read_teams(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error, "it is not a regular file");
    }

    #[test]
    fn a_bad_file_is_refused_with_its_line() {
        for (text, reason) in [
            (
                "",
                "line 1: expected the columns staff_id and team, but staff_id is missing",
            ),
            (
                "staff_id;team\n1;a\n",
                "line 1: expected the columns staff_id and team, but staff_id is missing",
            ),
            (
                "staff_id,group\n1,a\n",
                "line 1: expected the columns staff_id and team, but team is missing",
            ),
            ("staff_id,team\n1,a\n,b\n", "line 3: staff_id is empty"),
            ("staff_id,team\n1,\u{200b}\n", "line 2: team is empty"),
            (
                "staff_id,team\n1,a\n2,a\n1,b\n",
                "line 4: 1 is in the team a already",
            ),
            (
                "staff_id,team,team\n1,a,b\n",
                "line 1: two columns are named team",
            ),
            (
                "staff_id,team\n1,\"a\n2,b\n3,c\n",
                "line 2: a quote is not closed",
            ),
            (
                "staff_id,team\n1,\"a\n2,b\n3,\"c\n",
                "line 2: a quote is not closed",
            ),
            (
                "staff_id,team,name\n1,a,x\n2,b,\"y\n3,c,z\n",
                "line 3: a quote is not closed",
            ),
            (
                "staff_id,team\n1.60023E+18,a\n",
                "line 2: a spreadsheet rounded the staff_id to 1.60023E+18; format the column as \
                 text, and enter the ids again",
            ),
            (
                "staff_id,team\n1,a\n2\n",
                "line 3: expected 2 columns as in the first line, got 1",
            ),
        ] {
            assert_eq!(pairs(text).unwrap_err(), reason, "{text:?}");
        }
        let gbk = b"staff_id,team\n1,a\n2,\xb6\xab\xc7\xf8\n";
        let reason = parse(gbk).unwrap_err();
        assert!(reason.starts_with("line 3: not valid UTF-8"), "{reason}");
        assert!(
            read_teams(Path::new("/"))
                .unwrap_err()
                .contains("directory")
        );
    }

    #[test]
    fn the_number_of_teams_is_limited() {
        let rows = |count| (0..count).map(|n| format!("{n},team {n}\n"));
        let text = |count| "staff_id,team\n".to_owned() + &rows(count).collect::<String>();
        assert!(parse(text(MAX_TEAMS).as_bytes()).is_ok());
        assert_eq!(
            parse(text(MAX_TEAMS + 1).as_bytes()).unwrap_err(),
            "line 10002: more than 10000 teams"
        );
    }
}
