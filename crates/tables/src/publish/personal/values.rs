//! What a single value looks like: patterns and check digits. Pure functions over texts.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Kinds of value that are told apart, as bits of a [`Marks`].
pub(super) type Marks = u16;
/// An 18-digit Chinese resident ID number: region, date and check digit agree.
pub(super) const RESIDENT_ID: Marks = 1;
/// A 15-digit Chinese resident ID number of the old form, which has no check digit.
pub(super) const OLD_RESIDENT_ID: Marks = 1 << 1;
/// A phone number that is written as one: `+` and a country code, or separators in their places.
pub(super) const WRITTEN_PHONE: Marks = 1 << 2;
/// The eleven bare digits of a Chinese mobile number.
pub(super) const BARE_PHONE: Marks = 1 << 3;
pub(super) const EMAIL: Marks = 1 << 4;
/// A number of an issuer's range and length that passes the Luhn check.
pub(super) const BANK_CARD: Marks = 1 << 5;
/// A letter or two and digits, as in many passports: telling only together with a name.
pub(super) const PASSPORT: Marks = 1 << 6;
pub(super) const IP_ADDRESS: Marks = 1 << 7;
/// A number within ±180.
pub(super) const DEGREES: Marks = 1 << 8;
/// Two to four Chinese characters, the first of which is a common family name.
pub(super) const CHINESE_NAME: Marks = 1 << 9;
/// A day between 1900 and 2099.
pub(super) const DAY: Marks = 1 << 10;
/// A word for a sex, in English or Chinese.
pub(super) const SEX: Marks = 1 << 11;
/// A street with a house number.
pub(super) const STREET: Marks = 1 << 12;

/// Longest text that is looked at, in bytes: identifiers and addresses are shorter, and documents are not searched.
const MAX_BYTES: usize = 256;

/// Family names of most people in China, in the order of their frequency.
const FAMILY_NAMES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟\
姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常欧";

/// Words for a sex that data sets hold.
const SEX_WORDS: [&str; 12] = ["m", "f", "male", "female", "man", "woman", "男", "女", "男性", "女性", "男士", "女士"];

/// Endings of English street names.
const STREET_WORDS: [&str; 14] =
    ["street", "st", "avenue", "ave", "road", "rd", "boulevard", "blvd", "lane", "ln", "drive", "dr", "court", "square"];

/// Everything a text could be.
pub(super) fn marks_of_text(text: &str) -> Marks {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_BYTES {
        return 0;
    }
    let mut marks = 0;
    if text.bytes().all(|b| b.is_ascii_digit()) {
        marks |= marks_of_digits(text);
    } else if text.is_ascii() {
        let mut set = |mark, holds: bool| marks |= if holds { mark } else { 0 };
        set(RESIDENT_ID, is_resident_id(text));
        set(WRITTEN_PHONE, is_written_phone(text));
        set(EMAIL, is_email(text));
        set(PASSPORT, is_passport(text));
        set(IP_ADDRESS, is_ip_address(text));
        set(STREET, is_english_street(text));
        set(BANK_CARD, is_spaced_card(text));
        set(DEGREES, text.parse().is_ok_and(is_degrees));
        set(DAY, is_written_day(text));
    } else {
        let mut set = |mark, holds: bool| marks |= if holds { mark } else { 0 };
        set(CHINESE_NAME, is_chinese_name(text));
        set(STREET, is_chinese_street(text));
        set(DAY, is_written_day(text));
        set(EMAIL, is_email(text));
    }
    if text.len() <= 8 && SEX_WORDS.contains(&text.to_lowercase().as_str()) {
        marks |= SEX;
    }
    marks
}

/// Everything a whole number could be.
pub(super) fn marks_of_int(value: i128) -> Marks {
    if value.unsigned_abs() <= 180 {
        return DEGREES;
    }
    // Shorter numbers are none of the kinds that are looked for.
    if value < 10_000_000_000 { 0 } else { marks_of_digits(&value.to_string()) }
}

/// Everything a number with a fraction could be.
pub(super) fn marks_of_float(value: f64) -> Marks {
    if is_degrees(value) { DEGREES } else { 0 }
}

/// Everything a day could be; days since 1970.
pub(super) fn marks_of_day(days: i64) -> Marks {
    // 1900-01-01 up to 2099-12-31.
    if (-25_567..=47_481).contains(&days) { DAY } else { 0 }
}

fn marks_of_digits(digits: &str) -> Marks {
    let mut marks = 0;
    if is_resident_id(digits) {
        marks |= RESIDENT_ID;
    } else if is_bank_card(digits) {
        marks |= BANK_CARD;
    }
    if is_old_resident_id(digits) {
        marks |= OLD_RESIDENT_ID;
    }
    if is_chinese_mobile(digits) || digits.strip_prefix("86").is_some_and(|rest| rest.len() == 11 && is_chinese_mobile(rest)) {
        marks |= BARE_PHONE;
    }
    if digits.len() == 8 && is_day_digits(digits) {
        marks |= DAY;
    }
    if digits.len() <= 3 && digits.parse().is_ok_and(is_degrees) {
        marks |= DEGREES;
    }
    marks
}

fn is_degrees(value: f64) -> bool {
    (-180.0..=180.0).contains(&value)
}

/// Whether the first two digits are a province, autonomous region, municipality, or 81 to 83 (residence permits).
fn is_region(digits: &str) -> bool {
    matches!(
        digits.get(..2).and_then(|p| p.parse().ok()).unwrap_or(0_u8),
        11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83
    )
}

/// `YYYYMMDD` of a day between 1900 and 2099.
fn is_day_digits(digits: &str) -> bool {
    let number = |from, to| digits.get(from..to).and_then(|p: &str| p.parse::<i16>().ok()).unwrap_or(0);
    let (year, month, day) = (number(0, 4), number(4, 6), number(6, 8));
    (1900..2100).contains(&year)
        && i8::try_from(month).is_ok_and(|m| i8::try_from(day).is_ok_and(|d| jiff::civil::Date::new(year, m, d).is_ok()))
}

/// GB 11643: region, date of birth, order, and a check digit by ISO 7064 MOD 11-2.
fn is_resident_id(text: &str) -> bool {
    if text.len() != 18 || !text.is_ascii() {
        return false;
    }
    let (body, check) = text.split_at(17);
    if !body.bytes().all(|b| b.is_ascii_digit()) || !is_region(body) || !is_day_digits(&body[6..14]) {
        return false;
    }
    let sum = body.bytes().fold(0_u32, |sum, b| (sum + u32::from(b - b'0')) * 2 % 11);
    match (12 - sum) % 11 {
        10 => check.eq_ignore_ascii_case("x"),
        digit => check == digit.to_string(),
    }
}

/// The form used up to 1999: a year of two digits and no check digit.
fn is_old_resident_id(digits: &str) -> bool {
    digits.len() == 15 && is_region(digits) && is_day_digits(&format!("19{}", &digits[6..12]))
}

/// Eleven digits of a range that carriers in China have been given.
fn is_chinese_mobile(digits: &str) -> bool {
    digits.len() == 11
        && matches!(
            digits.get(..3).and_then(|p| p.parse().ok()).unwrap_or(0_u16),
            130..=139 | 145..=149 | 150..=153 | 155..=159 | 162 | 165..=167 | 170..=178 | 180..=193 | 195..=199
        )
}

/// A phone number with its marks: `+86 138 0013 8000`, `138-0013-8000`, `0512-87654321`, `(212) 555-0123`.
fn is_written_phone(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let others = |allowed: &str| text.chars().all(|c| c.is_ascii_digit() || allowed.contains(c));
    if let Some(rest) = text.strip_prefix('+') {
        // E.164: at most 15 digits, and no country code begins with 0. With fewer than 8 it is a signed number.
        return others("+-. ()") && rest.starts_with(|c: char| ('1'..='9').contains(&c)) && (9..=15).contains(&digits.len());
    }
    let groups: Vec<&str> = text.split(['-', ' ']).collect();
    let sizes: Vec<usize> = groups.iter().map(|g| g.trim_matches(['(', ')']).len()).collect();
    if !others("- ()") {
        return false;
    }
    match sizes.as_slice() {
        [3, 4, 4] => is_chinese_mobile(&digits),
        [3 | 4, 7 | 8] => digits.starts_with('0') && !digits.starts_with("00"),
        // North America: neither area nor exchange begins with 0 or 1.
        [3, 3, 4] => digits.as_bytes()[0] >= b'2' && digits.as_bytes()[3] >= b'2',
        _ => false,
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let Some((host, top)) = domain.rsplit_once('.') else { return false };
    let word = |c: char| c.is_alphanumeric();
    !local.is_empty()
        && local.len() <= 64
        && local.chars().all(|c| word(c) || "!#$%&'*+/=?^_`{|}~.-".contains(c))
        && !host.is_empty()
        && host.split('.').all(|label| !label.is_empty() && label.chars().all(|c| word(c) || c == '-'))
        && top.chars().count() >= 2
        && top.chars().all(char::is_alphabetic)
}

/// An issuer's range and length, and the Luhn check (ISO/IEC 7812-1).
fn is_bank_card(digits: &str) -> bool {
    let prefix = |n: usize| digits.get(..n).and_then(|p| p.parse().ok()).unwrap_or(0_u32);
    let issuer = match digits.len() {
        13 => prefix(1) == 4,
        15 => matches!(prefix(2), 34 | 37),
        16 => prefix(1) == 4 || matches!(prefix(2), 35 | 51..=55 | 62 | 65) || matches!(prefix(4), 2200..=2204 | 2221..=2720 | 6011),
        17 | 18 => prefix(2) == 62,
        19 => prefix(1) == 4 || prefix(2) == 62 || prefix(4) == 9558 || prefix(5) == 95599,
        _ => false,
    };
    issuer && luhn(digits)
}

fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let digit = u32::from(b - b'0') << (i % 2);
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// A card number in groups of four: `6222 0212 3456 7890`.
fn is_spaced_card(text: &str) -> bool {
    let groups: Vec<&str> = text.split([' ', '-']).collect();
    groups.len() >= 4
        && groups.iter().all(|g| !g.is_empty() && g.bytes().all(|b| b.is_ascii_digit()))
        && groups[..groups.len() - 1].iter().all(|g| g.len() == 4)
        && is_bank_card(&groups.concat())
}

fn is_passport(text: &str) -> bool {
    let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
    (8..=9).contains(&text.len()) && (1..=2).contains(&letters) && text.bytes().skip(letters).all(|b| b.is_ascii_digit())
}

/// An address of a host. Small numbers throughout are more likely a version, and loopback is nobody's.
fn is_ip_address(text: &str) -> bool {
    if let Ok(v4) = text.parse::<Ipv4Addr>() {
        return v4.octets()[0] != 0 && !v4.is_loopback() && v4.octets().iter().any(|o| *o > 30);
    }
    text.matches(':').count() >= 2 && text.parse::<Ipv6Addr>().is_ok_and(|v6| !v6.is_loopback() && !v6.is_unspecified())
}

fn is_chinese_name(text: &str) -> bool {
    let count = text.chars().count();
    (2..=4).contains(&count)
        && text.chars().all(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
        && text.chars().next().is_some_and(|c| FAMILY_NAMES.contains(c))
}

/// `1990-01-31`, `1990/1/31`, `1990.1.31`, `1990年1月31日`, perhaps with a time behind.
fn is_written_day(text: &str) -> bool {
    let text = text.split(['T', ' ']).next().unwrap_or_default();
    let parts: Vec<&str> = text.split(['-', '/', '.', '年', '月', '日']).filter(|p| !p.is_empty()).collect();
    match parts.as_slice() {
        [year, month, day] if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => {
            is_day_digits(&format!("{year}{month:0>2}{day:0>2}"))
        }
        _ => false,
    }
}

/// A road or village, and a number with a word for house, building or room.
fn is_chinese_street(text: &str) -> bool {
    let mut before = ' ';
    let mut numbered = false;
    for c in text.chars() {
        numbered |= "号弄栋幢室单楼".contains(c) && (before.is_ascii_digit() || "一二三四五六七八九十".contains(before));
        before = c;
    }
    numbered && text.contains(['路', '街', '道', '巷', '弄', '村', '镇', '区', '市'])
}

/// A house number, words, and a word for street: `12 Main Street, Springfield`.
fn is_english_street(text: &str) -> bool {
    let mut words = text.split([' ', ',']).filter(|w| !w.is_empty());
    let number = words.next().unwrap_or_default();
    number.len() <= 6
        && number.starts_with(|c: char| c.is_ascii_digit())
        && words.skip(1).take(4).any(|w| STREET_WORDS.contains(&w.trim_end_matches('.').to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart() {
        let cases: &[(&str, Marks)] = &[
            // The example of GB 11643-1999, and one whose check digit is X.
            ("11010519491231002X", RESIDENT_ID),
            ("440524188001010014", 0),
            ("440524198001010013", RESIDENT_ID),
            ("440524198001010014", 0),
            ("994524198001010013", 0),
            ("110105491231002", OLD_RESIDENT_ID),
            ("13800138000", BARE_PHONE),
            ("8613800138000", BARE_PHONE),
            ("12800138000", 0),
            ("+86 138 0013 8000", WRITTEN_PHONE),
            ("+442071838750", WRITTEN_PHONE),
            ("138-0013-8000", WRITTEN_PHONE),
            ("0512-87654321", WRITTEN_PHONE),
            ("(212) 555-0123", WRITTEN_PHONE),
            ("+5", DEGREES),
            ("a.b+c@example.co.uk", EMAIL),
            ("张三@例子.公司", EMAIL),
            ("@handle", 0),
            ("a@b", 0),
            ("4111111111111111", BANK_CARD),
            ("4111 1111 1111 1111", BANK_CARD),
            ("6222021234567890128", BANK_CARD),
            ("6222021234567890129", 0),
            ("378282246310005", BANK_CARD),
            ("4111111111111112", 0),
            ("E12345678", PASSPORT),
            ("192.168.1.20", IP_ADDRESS),
            ("2001:db8::1", IP_ADDRESS),
            ("1.2.3.4", 0),
            ("10:20:30", 0),
            ("张伟", CHINESE_NAME),
            ("1990-01-31", DAY),
            ("1990/1/31", DAY),
            ("1990年1月31日", DAY),
            ("19900131", DAY),
            ("1990-13-31", 0),
            ("Female", SEX),
            ("男", SEX),
            ("江苏省苏州市工业园区星湖街328号5栋", STREET),
            ("12 Main Street, Springfield", STREET),
            ("120.58", DEGREES),
            ("1500000000000", 0),
            ("hello", 0),
        ];
        for (text, marks) in cases {
            assert_eq!(marks_of_text(text), *marks, "{text}");
        }
        assert_eq!(marks_of_int(440_524_198_001_010_013), RESIDENT_ID);
        assert_eq!(marks_of_int(13_800_138_000), BARE_PHONE);
        assert_eq!(marks_of_int(-13_800_138_000), 0);
        assert_eq!((marks_of_day(0), marks_of_day(-30_000)), (DAY, 0));
    }
}
