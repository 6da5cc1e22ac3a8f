//! Throttling of sign-in attempts, by login and by address. One statement decides and counts, so that attempts at the
//! same instant cannot slip through together.

use super::{Tx, statements};
use crate::{dialect::Sql::Same, error::StoreError, value::vals};
use fondaco_core::time::{Micros, Timestamp};

/// Whether an attempt may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginAttempt {
    /// Check the password.
    Allowed,
    /// Too many attempts.
    Throttled {
        /// When the next one may be made.
        until: Timestamp,
    },
}

statements! {
    ATTEMPT = Same("INSERT INTO login_attempt (key, window_start, attempts) VALUES ($1, $2, 1) ON CONFLICT (key) DO UPDATE SET attempts = CASE WHEN login_attempt.window_start <= $3 THEN 1 ELSE login_attempt.attempts + 1 END, window_start = CASE WHEN login_attempt.window_start <= $3 THEN $2 ELSE login_attempt.window_start END WHERE login_attempt.window_start <= $3 OR login_attempt.attempts < $4");
    WINDOW = Same("SELECT window_start FROM login_attempt WHERE key = $1");
    CLEAR = Same("DELETE FROM login_attempt WHERE key = $1");
    FORGET = Same("DELETE FROM login_attempt WHERE window_start <= $1");
}

impl Tx {
    /// Counts an attempt under `key`: at most `max` in a window that begins with the first of them.
    pub fn login_attempt(&mut self, key: &str, now: Timestamp, window: Micros, max: u32) -> Result<LoginAttempt, StoreError> {
        let expired = now.plus(Micros(window.0.saturating_neg()));
        if max > 0 && self.execute(ATTEMPT, vals![key, now, expired, max])? == 1 {
            return Ok(LoginAttempt::Allowed);
        }
        let start = self.first(WINDOW, vals![key], |row| row.at(0))?.unwrap_or(now);
        Ok(LoginAttempt::Throttled { until: start.plus(window) })
    }

    /// Forgets the attempts under `key`, after one that succeeded.
    pub fn login_clear(&mut self, key: &str) -> Result<(), StoreError> {
        self.execute(CLEAR, vals![key]).map(drop)
    }

    /// Forgets windows that began before `before`; how many.
    pub fn login_attempts_forget(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        self.execute(FORGET, vals![before])
    }
}
