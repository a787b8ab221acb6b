//! Which team an agent belongs to.

use std::collections::HashMap;

/// The teams of a contact centre. The vendor does not know them, so they come from a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Teams {
    /// In the order of the file.
    names: Vec<String>,
    /// Index of the team by its name.
    by_name: HashMap<String, usize>,
    /// Index of the team by `staff_id`.
    by_staff: HashMap<String, usize>,
}

impl Teams {
    /// Assigns an agent to a team.
    ///
    /// # Errors
    ///
    /// The name of the team that the agent is in already, if it is another one.
    pub fn assign(&mut self, staff_id: &str, team: &str) -> Result<(), &str> {
        let team = match self.by_name.get(team) {
            Some(known) => *known,
            None => {
                self.by_name.insert(team.to_owned(), self.names.len());
                self.names.push(team.to_owned());
                self.names.len() - 1
            }
        };
        let assigned = *self.by_staff.entry(staff_id.to_owned()).or_insert(team);
        match assigned == team {
            true => Ok(()),
            false => Err(&self.names[assigned]),
        }
    }

    /// The team of an agent, if the file names one.
    pub fn of(&self, staff_id: &str) -> Option<&str> {
        let team = self.by_staff.get(staff_id.trim())?;
        Some(&self.names[*team])
    }

    /// The names of all teams, in the order of the file.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}
