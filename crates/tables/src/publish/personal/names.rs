//! What a column's name says: words of English and Chinese column names. Pure.

use super::PersonalDataCategory::{
    self as C, Address, BankCard, BirthDate, Email, IpAddress, Location, Passport, PersonName, Phone, ResidentId, Sex,
};

/// English names as their words, in lower case.
const ENGLISH: &[(&[&str], C)] = &[
    (&["resident", "id"], ResidentId),
    (&["id", "card"], ResidentId),
    (&["idcard"], ResidentId),
    (&["id", "number"], ResidentId),
    (&["identity", "number"], ResidentId),
    (&["identity", "card"], ResidentId),
    (&["national", "id"], ResidentId),
    (&["citizen", "id"], ResidentId),
    (&["ssn"], ResidentId),
    (&["social", "security", "number"], ResidentId),
    (&["phone"], Phone),
    (&["phone", "number"], Phone),
    (&["phonenumber"], Phone),
    (&["telephone"], Phone),
    (&["tel"], Phone),
    (&["mobile"], Phone),
    (&["mobile", "number"], Phone),
    (&["cellphone"], Phone),
    (&["msisdn"], Phone),
    (&["email"], Email),
    (&["e", "mail"], Email),
    (&["mail", "address"], Email),
    (&["email", "address"], Email),
    (&["e", "mail", "address"], Email),
    (&["card", "number"], BankCard),
    (&["bank", "card"], BankCard),
    (&["credit", "card"], BankCard),
    (&["debit", "card"], BankCard),
    (&["iban"], BankCard),
    (&["bank", "account"], BankCard),
    (&["passport"], Passport),
    (&["passport", "number"], Passport),
    (&["ip"], IpAddress),
    (&["ip", "address"], IpAddress),
    (&["ip", "addr"], IpAddress),
    (&["ipv", "4"], IpAddress),
    (&["ipv", "6"], IpAddress),
    (&["lat"], Location),
    (&["latitude"], Location),
    (&["lon"], Location),
    (&["lng"], Location),
    (&["longitude"], Location),
    (&["first", "name"], PersonName),
    (&["firstname"], PersonName),
    (&["last", "name"], PersonName),
    (&["lastname"], PersonName),
    (&["full", "name"], PersonName),
    (&["fullname"], PersonName),
    (&["middle", "name"], PersonName),
    (&["given", "name"], PersonName),
    (&["family", "name"], PersonName),
    (&["surname"], PersonName),
    (&["maiden", "name"], PersonName),
    (&["real", "name"], PersonName),
    (&["person", "name"], PersonName),
    (&["customer", "name"], PersonName),
    (&["patient", "name"], PersonName),
    (&["passenger", "name"], PersonName),
    (&["contact", "name"], PersonName),
    (&["employee", "name"], PersonName),
    (&["student", "name"], PersonName),
    (&["dob"], BirthDate),
    (&["birth", "date"], BirthDate),
    (&["birthdate"], BirthDate),
    (&["birthday"], BirthDate),
    (&["date", "of", "birth"], BirthDate),
    (&["sex"], Sex),
    (&["gender"], Sex),
    (&["address"], Address),
    (&["addr"], Address),
    (&["street"], Address),
    (&["home", "address"], Address),
];

/// Parts of Chinese names.
const CHINESE: &[(&str, C)] = &[
    ("身份证", ResidentId),
    ("身份证号", ResidentId),
    ("身份证号码", ResidentId),
    ("公民身份号码", ResidentId),
    ("证件号", ResidentId),
    ("证件号码", ResidentId),
    ("手机", Phone),
    ("手机号", Phone),
    ("手机号码", Phone),
    ("电话", Phone),
    ("电话号码", Phone),
    ("联系方式", Phone),
    ("邮箱", Email),
    ("邮箱地址", Email),
    ("电子邮件", Email),
    ("电子邮件地址", Email),
    ("银行卡", BankCard),
    ("银行卡号", BankCard),
    ("信用卡", BankCard),
    ("信用卡号", BankCard),
    ("银行账号", BankCard),
    ("银行账户", BankCard),
    ("护照", Passport),
    ("护照号", Passport),
    ("护照号码", Passport),
    ("ip地址", IpAddress),
    ("经度", Location),
    ("纬度", Location),
    ("姓名", PersonName),
    ("联系人", PersonName),
    ("收件人", PersonName),
    ("收货人", PersonName),
    ("持卡人", PersonName),
    ("出生日期", BirthDate),
    ("出生年月", BirthDate),
    ("出生年月日", BirthDate),
    ("生日", BirthDate),
    ("性别", Sex),
    ("地址", Address),
    ("住址", Address),
    ("家庭住址", Address),
];

/// Words that make a name one about such data, not of it: `phone_type`, `email_verified`, `ip_count`.
const ABOUT_ENGLISH: [&str; 17] = [
    "count", "type", "flag", "status", "verified", "valid", "model", "brand", "hash", "domain", "provider", "opt", "sent", "at", "mac",
    "category", "pct",
];
const ABOUT_CHINESE: [&str; 9] = ["型号", "类型", "数量", "次数", "个数", "状态", "品牌", "是否", "物理地址"];

/// What the name of a column says that it holds. The words nearest to its end count: `联系人电话` is a phone.
pub(super) fn category_of_name(name: &str) -> Option<C> {
    let lower = name.to_lowercase();
    let words = words(name);
    if ABOUT_CHINESE.iter().any(|w| lower.contains(w)) || words.iter().any(|w| ABOUT_ENGLISH.contains(&w.as_str())) {
        return None;
    }
    let chinese = CHINESE.iter().filter_map(|(part, category)| lower.rfind(part).map(|at| ((at + part.len(), part.len()), *category)));
    let best_chinese = chinese.max_by_key(|(place, _)| *place);
    let english = ENGLISH.iter().filter_map(|(parts, category)| {
        let end = words.windows(parts.len()).rposition(|w| w.iter().zip(*parts).all(|(a, b)| a == b))? + parts.len();
        Some(((end, parts.len()), *category))
    });
    best_chinese.or_else(|| english.max_by_key(|(place, _)| *place)).map(|(_, category)| category)
}

/// The words of a name in lower case: `homePhone_2` is home, phone, 2.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before: Option<char> = None;
    for c in name.chars() {
        let begins = before
            .is_none_or(|b| !b.is_alphanumeric() || (b.is_lowercase() && c.is_uppercase()) || (b.is_ascii_digit() != c.is_ascii_digit()));
        if c.is_alphanumeric() {
            match words.last_mut() {
                Some(word) if !begins => word.extend(c.to_lowercase()),
                _ => words.push(c.to_lowercase().collect()),
            }
        }
        before = Some(c);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_two_languages() {
        let cases: &[(&str, Option<C>)] = &[
            ("姓名", Some(PersonName)),
            ("联系人电话", Some(Phone)),
            ("客户身份证号码", Some(ResidentId)),
            ("邮箱地址", Some(Email)),
            ("IP地址", Some(IpAddress)),
            ("家庭住址", Some(Address)),
            ("手机型号", None),
            ("是否有手机", None),
            ("homePhone", Some(Phone)),
            ("phone_2", Some(Phone)),
            ("PHONE", Some(Phone)),
            ("email_address", Some(Email)),
            ("E-Mail", Some(Email)),
            ("client_ip", Some(IpAddress)),
            ("DateOfBirth", Some(BirthDate)),
            ("last_name", Some(PersonName)),
            ("phone_type", None),
            ("mac_address", None),
            ("zip", None),
            ("name", None),
            ("carrier", None),
            ("ship", None),
            ("latency", None),
            ("id", None),
            ("tailnum", None),
            ("", None),
        ];
        for (name, category) in cases {
            assert_eq!(category_of_name(name), *category, "{name}");
        }
    }
}
