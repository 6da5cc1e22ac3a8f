//! Prices: an exact amount in the minor units of an ISO 4217 currency. Read and written as decimal text, never through
//! a float.

use crate::{
    error::{Error, Result},
    time::Timestamp,
};
use iso_currency::Currency;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Largest amount, in minor units: exact in every JSON reader (2^53), and more than any product costs.
pub const AMOUNT_MAX_MINOR: u64 = 1_000_000_000_000_000;

/// A price: `80.00 CNY`. More than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Price {
    minor: u64,
    currency: Currency,
}

impl Price {
    /// Reads an amount (`80`, `80.5`, `80.00`) and a currency (`CNY`).
    ///
    /// # Errors
    /// [`Code::Invalid`](crate::Code::Invalid): not a plain decimal number, more decimals than the currency has, nothing
    /// at all or too much; a currency that ISO 4217 does not know, or has no minor unit for.
    pub fn parse(amount: &str, currency: &str) -> Result<Self> {
        let bad = |why: String| Error::invalid(format!("Not a price: {why}."));
        let clip = |text: &str| text.chars().filter(|c| !c.is_control()).take(40).collect::<String>();
        let known = Currency::from_code(currency).filter(|c| c.code() == currency);
        let (known, exponent) = known
            .and_then(|c| Some((c, usize::from(c.exponent()?))))
            .ok_or_else(|| bad(format!("\"{}\" is not a currency of ISO 4217 such as CNY", clip(currency))))?;
        let number = || bad(format!("\"{}\" is not a plain decimal number such as 80 or 80.50", clip(amount)));
        let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let leads_with_zero = whole.len() > 1 && whole.starts_with('0');
        if !digits(whole) || leads_with_zero || (amount.contains('.') && !digits(part)) {
            return Err(number());
        }
        if part.len() > exponent {
            return Err(bad(format!("{currency} has {exponent} decimals, and \"{}\" has more", clip(amount))));
        }
        // Too many digits for the limit do not fit a u64 either, or are over the limit.
        let minor = format!("{whole}{part:0<exponent$}").parse::<u64>().unwrap_or(u64::MAX);
        match minor {
            0 => Err(bad("an amount of nothing; leave the price out".into())),
            1..=AMOUNT_MAX_MINOR => Ok(Self { minor, currency: known }),
            _ => Err(bad(format!("\"{}\" is over the limit", clip(amount)))),
        }
    }

    /// Reads `80 CNY`.
    ///
    /// # Errors
    /// As [`Price::parse`].
    pub fn read(text: &str) -> Result<Self> {
        let (amount, currency) = text
            .trim()
            .split_once(' ')
            .ok_or_else(|| Error::invalid("A price is an amount and a currency of ISO 4217, as in \"80 CNY\"."))?;
        Self::parse(amount, currency.trim_start())
    }

    /// The amount in minor units.
    pub const fn minor(self) -> u64 {
        self.minor
    }
    /// The ISO 4217 code.
    pub fn currency(self) -> &'static str {
        self.currency.code()
    }
    /// The amount with all decimals of its currency: `80.00`.
    pub fn amount(self) -> String {
        let exponent = usize::from(self.currency.exponent().unwrap_or_default());
        let digits = format!("{:0>width$}", self.minor, width = exponent + 1);
        let (whole, part) = digits.split_at(digits.len() - exponent);
        if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
    }
    /// Whether it is at least another; `None` in different currencies, which nothing here converts.
    pub fn at_least(self, other: Self) -> Option<bool> {
        (self.currency == other.currency).then_some(self.minor >= other.minor)
    }
}

/// Longest reference of a payment, in characters: a bank's, an invoice's number, a few words.
pub const REFERENCE_MAX_CHARS: usize = 200;

/// That a price was paid, as its provider recorded it by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// What the provider finds the money by.
    pub reference: String,
    /// When it was recorded.
    pub at: Timestamp,
}

impl Payment {
    /// Checks a reference.
    ///
    /// # Errors
    /// [`Code::Invalid`](crate::Code::Invalid) for an empty, too long or unprintable one.
    pub fn new(reference: &str, at: Timestamp) -> Result<Self> {
        let reference = reference.trim();
        if reference.is_empty() || reference.chars().count() > REFERENCE_MAX_CHARS || reference.chars().any(char::is_control) {
            return Err(Error::invalid(format!("A payment's reference has 1 to {REFERENCE_MAX_CHARS} printable characters.")));
        }
        Ok(Self { reference: reference.to_owned(), at })
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency())
    }
}

impl From<Price> for String {
    fn from(price: Price) -> Self {
        price.to_string()
    }
}

impl TryFrom<String> for Price {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::read(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_exact() {
        for (text, minor, printed) in [
            ("80 CNY", 8_000, "80.00 CNY"),
            ("80.5 CNY", 8_050, "80.50 CNY"),
            ("0.01 EUR", 1, "0.01 EUR"),
            ("1200 JPY", 1_200, "1200 JPY"),
            ("1.234 KWD", 1_234, "1.234 KWD"),
            ("10000000000000 CNY", AMOUNT_MAX_MINOR, "10000000000000.00 CNY"),
        ] {
            let price = Price::read(text).expect(text);
            assert_eq!((price.minor(), price.to_string().as_str()), (minor, printed), "{text}");
            assert_eq!(Price::read(printed).as_ref(), Ok(&price));
        }
    }

    #[test]
    fn whatever_is_not_one_exact_price_is_refused() {
        for bad in [
            "80",
            "CNY",
            "80CNY",
            "-1 CNY",
            "+1 CNY",
            "1e3 CNY",
            "1,000 CNY",
            "0 CNY",
            "0.00 CNY",
            "80. CNY",
            ".5 CNY",
            "007 CNY",
            "80.001 CNY",
            "1.5 JPY",
            "1 cny",
            "1 XXX",
            "1 XAU",
            "1 QQQ",
            "1 RMB",
            "80 CNY EUR",
            "80 CNY 70 CNY",
            "１ CNY",
            "10000000000000.01 CNY",
            "99999999999999999999999 CNY",
            "NaN CNY",
            "1_000 CNY",
            "1 \u{feff}CNY",
        ] {
            assert!(Price::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn references_are_bounded() {
        let at = Timestamp::from_micros(1);
        assert_eq!(Payment::new(" bank 77 ", at).map(|p| p.reference), Ok("bank 77".to_owned()));
        assert!(Payment::new(&"号".repeat(REFERENCE_MAX_CHARS), at).is_ok());
        for bad in ["", "  ", "a\nb", &"x".repeat(REFERENCE_MAX_CHARS + 1)] {
            assert!(Payment::new(bad, at).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn currencies_are_not_compared() {
        let price = |text| Price::read(text).expect("price");
        assert_eq!(price("80 CNY").at_least(price("80 CNY")), Some(true));
        assert_eq!(price("79.99 CNY").at_least(price("80 CNY")), Some(false));
        assert_eq!(price("80 EUR").at_least(price("1 CNY")), None);
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(minor in 1..=AMOUNT_MAX_MINOR, code in prop::sample::select(vec!["CNY", "JPY", "KWD", "EUR"])) {
            let price = Price { minor, currency: Currency::from_code(code).expect("code") };
            prop_assert_eq!(Price::read(&price.to_string()), Ok(price));
        }
    }
}
