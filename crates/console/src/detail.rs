//! What an error says, in the reader's language.
//!
//! The node writes the sentence of an error in English, where it happens, for every surface alike; by the time a page
//! shows it, it may have lain in the database or come from another node. So, as gettext does, the sentence itself is
//! looked up: the area `detail` holds the sentences as the sources write them, with a variable for each part that is put
//! in, and a sentence that fits one is said in the reader's language with the same parts. Any other is shown as it is.

use std::{cmp::Reverse, sync::OnceLock};

use crate::locale::AREAS;
use crate::text::{Arg, Text};

/// The area and the beginning of its keys.
const AREA: &str = "detail";
/// Longest text that is looked up: what is longer is no sentence of ours.
const LENGTH_MAX: usize = 4_000;
/// How deep sentences stand in one another: "nothing was published: this store: that reason (its code)" has four.
const DEPTH_MAX: usize = 5;

/// A sentence with places for variables.
#[derive(Debug)]
struct Pattern {
    /// The key without its area.
    name: &'static str,
    /// What stands before each variable, with the variable's name.
    parts: Vec<(&'static str, &'static str)>,
    /// What stands after the last.
    tail: &'static str,
}

impl Pattern {
    fn parse(name: &'static str, text: &'static str) -> Option<Self> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{ $") {
            let (variable, after) = after.split_once(" }")?;
            parts.push((before, variable));
            rest = after;
        }
        Some(Self { name, parts, tail: rest })
    }

    /// How much of it is its own.
    fn own(&self) -> usize {
        self.parts.iter().map(|(before, _)| before.len()).sum::<usize>() + self.tail.len()
    }

    /// Where its own words begin in a text of this form. Of two forms that fit, the outer one begins first.
    fn begins(&self, values: &[&str]) -> usize {
        match self.parts.first() {
            Some(("", _)) => values[0].len(),
            _ => 0,
        }
    }

    /// Whether it is only marks around its variables; then it says something only if one of them does.
    fn is_frame(&self) -> bool {
        !self.parts.iter().map(|(before, _)| *before).chain([self.tail]).any(|own| own.contains(char::is_alphabetic))
    }

    /// The values of the variables, if the text has this form. A variable holds something, and as little as possible but
    /// for the last one.
    fn values<'a>(&self, text: &'a str) -> Option<Vec<&'a str>> {
        let mut rest = text.strip_suffix(self.tail)?;
        let Some(((first, _), others)) = self.parts.split_first() else { return rest.is_empty().then(Vec::new) };
        rest = rest.strip_prefix(first)?;
        let mut values = Vec::with_capacity(self.parts.len());
        for (before, _) in others {
            let (value, after) = rest.split_once(before)?;
            values.push(value);
            rest = after;
        }
        values.push(rest);
        values.iter().all(|value| !value.is_empty()).then_some(values)
    }
}

/// All sentences.
fn patterns() -> &'static [Pattern] {
    static PATTERNS: OnceLock<Vec<Pattern>> = OnceLock::new();
    PATTERNS.get_or_init(|| {
        let english = AREAS.iter().find(|(area, ..)| *area == AREA).map_or("", |(_, english, _)| english);
        let lines = english.lines().filter_map(|line| line.strip_prefix(AREA)?.strip_prefix('-')?.split_once(" = "));
        lines.filter_map(|(name, text)| Pattern::parse(name, text)).collect()
    })
}

impl Text {
    /// A sentence of an error: in the reader's language where it is one of ours, else as it is.
    pub fn detail(sentence: &str) -> Self {
        known(sentence, DEPTH_MAX).unwrap_or_else(|| Self::plain(sentence))
    }
}

/// The sentence as a message, if it is one of ours.
fn known(sentence: &str, depth: usize) -> Option<Text> {
    if depth == 0 || sentence.len() > LENGTH_MAX {
        return None;
    }
    let mut fitting: Vec<_> = patterns().iter().filter_map(|pattern| Some((pattern, pattern.values(sentence)?))).collect();
    fitting.sort_by_key(|(pattern, values)| (pattern.begins(values), Reverse(pattern.own())));
    fitting.into_iter().find_map(|(pattern, values)| {
        let inner: Vec<Option<Text>> = values.iter().map(|value| known(value, depth - 1)).collect();
        if pattern.is_frame() && inner.iter().all(Option::is_none) {
            return None;
        }
        let mut text = Text::of("detail", pattern.name);
        for ((value, inner), (_, variable)) in values.into_iter().zip(inner).zip(&pattern.parts) {
            text = text.with(variable, inner.map_or_else(|| Arg::Foreign(value.to_owned()), Arg::Said));
        }
        Some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Locale;
    use std::{fs, path::Path};

    /// Sentences that are put together from several literals.
    const ASSEMBLED: [&str; 19] = [
        "coded",
        "placed",
        "path-missing",
        "path-forbidden",
        "line",
        "line-column",
        "product-id",
        "connection-none",
        "address-private",
        "address-plain",
        "read-stopped",
        "unpublished",
        "reads-used",
        "named-agreement",
        "named-negotiation",
        "named-transfer",
        "named-product",
        "named-offer",
        "peers-product",
    ];

    /// The literals of the crates whose errors come to the console, with `{}` for whatever is put in.
    fn sources() -> String {
        let mut all = String::new();
        let mut folders: Vec<_> =
            ["core", "node", "tables"].iter().map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src")).collect();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("folder") {
                let path = entry.expect("entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let text = fs::read_to_string(&path).expect("text");
                    all.push_str(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
                }
            }
        }
        emptied(&all.replace("\\\"", "\""))
    }

    /// With nothing between braces.
    fn emptied(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            out.push('{');
            rest = match after.split_once('}') {
                // A block of code is no place for a value.
                Some((inside, after)) if inside.chars().all(|c| c.is_alphanumeric() || "_.:?".contains(c)) => {
                    out.push('}');
                    after
                }
                _ => after,
            };
        }
        out + rest
    }

    #[test]
    fn every_sentence_stands_in_the_sources() {
        let sources = sources();
        for pattern in patterns().iter().filter(|p| !ASSEMBLED.contains(&p.name)) {
            let mut text: String = pattern.parts.iter().map(|(before, _)| format!("{before}{{}}")).collect();
            text.push_str(pattern.tail);
            assert!(sources.contains(&text), "no source says {}: {text}", pattern.name);
        }
        for name in ASSEMBLED {
            assert!(patterns().iter().any(|p| p.name == name), "{name}");
        }
    }

    #[test]
    fn sentences_are_said_in_chinese_and_stay_as_they_are_in_english() {
        for (english, chinese) in [
            (
                "Nothing was published. s3://lake/in: there is no such bucket (NoSuchBucket)",
                "未发布任何内容。s3://lake/in：没有这个存储桶（NoSuchBucket）",
            ),
            ("s3://lake/: the secret key is wrong (SignatureDoesNotMatch)", "s3://lake/：访问密钥有误（SignatureDoesNotMatch）"),
            (
                "db.example.org:5432/plant: refused the connection: password authentication failed (28P01)",
                "db.example.org:5432/plant：拒绝了连接：password authentication failed (28P01)",
            ),
            (
                "Nothing was published. /data/x.csv: No such file or directory (os error 2)",
                "未发布任何内容。/data/x.csv：没有这个文件或目录",
            ),
            (
                "Nothing was published. x.csv, line 2: 3 values where the header has 2; is a value with a delimiter or line break not quoted?",
                "未发布任何内容。x.csv 第 2 行：有 3 个值，而表头有 2 列；是否有含分隔符或换行的值未加引号？",
            ),
            (
                "x.csv, line 7, column \"dep: time\": the file is empty; its first line must name the columns",
                "x.csv 第 7 行“dep: time”列：文件为空；第一行须写明列名",
            ),
            (
                "There is no connection \"lake\". Make it with: fondaco connection add-s3, or add-postgres",
                "没有名为“lake”的连接。请先添加连接。（fondaco connection add-s3, or add-postgres）",
            ),
            (
                "The DID document of did:web:x%3A1:p:a cannot be had: x:1 cannot be reached: nothing listens there (connection refused).",
                "无法取得 did:web:x%3A1:p:a 的 DID 文档：无法连接 x:1：该处没有服务（连接被拒绝）。",
            ),
            (
                "The address is not allowed: it is in a private network; the operator can allow that with network.allow_private.",
                "不允许访问该地址：它在私有网络中；运维人员可通过 network.allow_private 允许。",
            ),
            ("The agreement agr_1 does not exist here.", "合约“agr_1”在此不存在。"),
            ("Suspending is not possible while the transfer is TERMINATED.", "传输处于 TERMINATED 状态时，不能执行暂停。"),
            ("All 3 agreed reads are used. (count)", "约定的 3 次读取均已用完。"),
            ("Something nobody foresaw.", "Something nobody foresaw."),
            ("a: b (c)", "a: b (c)"),
            ("", ""),
        ] {
            let text = Text::detail(english);
            assert_eq!(text.to_string(), english);
            assert_eq!(text.in_locale(Locale::Zh), chinese);
        }
    }

    #[test]
    fn hostile_text_is_neither_read_as_markup_nor_slow() {
        let nested = "Nothing was published. ".repeat(150);
        assert_eq!(Text::detail(&nested).to_string(), nested);
        assert_eq!(Text::detail(&": ".repeat(1_900)).to_string(), ": ".repeat(1_900));
        let long = format!("Nothing was published. {}", "x".repeat(LENGTH_MAX));
        assert_eq!(Text::detail(&long), Text::plain(long));
        for said in ["the query was refused: <b>{ $why }\u{f8c0}", "<code>: the secret key is wrong", "{ $why }"] {
            assert_eq!(Text::detail(said).to_string(), said);
        }
    }
}
