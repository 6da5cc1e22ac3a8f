//! How much memory a node holds while it waits: a zone runs one for thousands of organisations, a factory one on a small
//! machine beside other programs.
//!
//! Both measures are hints to the operating system (Linux). Where they are not understood nothing happens.

use std::{convert::Infallible, time::Duration};
use tokio::time::{Instant, MissedTickBehavior};

/// Asks for small pages. The allocator prepares large ranges and asks for huge pages (2 MB) in them, of which an idle
/// node touches a corner each: 14 MB resident for 4 MB in use. To be called before anything else.
pub fn prefer_small_pages() {
    #[cfg(target_os = "linux")]
    // A kernel that refuses goes on as it would have.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// By when a node that has started has done what it does once: looked at its log, asked its witnesses, signed.
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// How often what seldom work left resident is given back: it costs some hundred page faults, and a look at the list of what
/// is mapped.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(10);

/// Gives back the pages of our own program file from time to time, for as long as it is polled.
pub async fn keep_small() -> Infallible {
    let mut every = tokio::time::interval_at(Instant::now() + SETTLED_AFTER, GIVE_BACK_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        // The kernel counts every page of the process for it. A panic there would be the next turn's too.
        let _ = tokio::task::spawn_blocking(give_code_back).await;
    }
}

/// Gives back the pages of our own program file. To be called after work that executes much and comes seldom: starting
/// and reading a source each leave more than 20 MB of code resident, and serving executes 5 MB. The pages are
/// unchanged and stay in the page cache; those still needed are mapped again when they are touched.
pub fn give_code_back() {
    #[cfg(target_os = "linux")]
    for range in unchanged(&std::fs::read_to_string("/proc/self/smaps").unwrap_or_default()) {
        linux::give_back(range);
    }
}

/// Where the program file is mapped private, not writable, and without a page that differs from the file, by the process's
/// `/proc/PID/smaps` ([proc(5)](https://man7.org/linux/man-pages/man5/proc_pid_smaps.5.html)). The program is the file that
/// is mapped first. A page that was changed, by a relocation for example, counts as anonymous.
#[cfg(target_os = "linux")]
fn unchanged(smaps: &str) -> Vec<std::ops::Range<usize>> {
    let mut program: Option<&str> = None;
    let mut mapping = None;
    let mut found = Vec::new();
    for line in smaps.lines() {
        if let Some(size) = line.strip_prefix("Anonymous:") {
            found.extend(mapping.take().filter(|_| size.trim() == "0 kB"));
            continue;
        }
        // address, permissions, offset, device, inode, path; the lines about a mapping have a colon after the first word.
        let mut fields = line.splitn(6, ' ');
        let (Some(range), Some(permissions)) = (fields.next(), fields.next()) else { continue };
        let Some((from, to)) = range.split_once('-') else { continue };
        let (Ok(from), Ok(to)) = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16)) else { continue };
        let path = fields.nth(3).unwrap_or_default().trim();
        let ours = path.starts_with('/') && *program.get_or_insert(path) == path;
        mapping = (ours && matches!(permissions, "r-xp" | "r--p")).then_some(from..to);
    }
    found
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::mm::{Advice, madvise};

    #[expect(unsafe_code, reason = "the only way to say this to the kernel")]
    pub(super) fn give_back(range: std::ops::Range<usize>) {
        let start = std::ptr::with_exposed_provenance_mut(range.start);
        // SAFETY: the range is part of this program's file, mapped private and not writable, and the kernel said that no
        // page of it differs from the file. After MADV_DONTNEED the next access maps the same bytes again (madvise(2)).
        // A program file that is replaced while it runs is another inode; the mapping keeps the one it has.
        let _ = unsafe { madvise(start, range.len(), Advice::LinuxDontNeed) };
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_unchanged_parts_of_the_program_file_are_given_back() {
        let smaps = "\
55d0a0000000-55d0a0100000 r--p 00000000 fe:00 131                        /usr/bin/fondaco
Size:               1024 kB
Anonymous:             0 kB
VmFlags: rd mr mw me sd
55d0a0100000-55d0a0300000 r-xp 00100000 fe:00 131                        /usr/bin/fondaco
Anonymous:             0 kB
55d0a0300000-55d0a0310000 r--p 00300000 fe:00 131                        /usr/bin/fondaco
Anonymous:            64 kB
55d0a0310000-55d0a0320000 rw-p 00310000 fe:00 131                        /usr/bin/fondaco
Anonymous:             0 kB
55d0a0320000-55d0a0330000 rwxp 00310000 fe:00 131                        /usr/bin/fondaco
Anonymous:             0 kB
7f0000000000-7f0000100000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f0000200000-7f0000300000 r-xp 00020000 fe:00 140                        /usr/lib/libc.so.6
Anonymous:             0 kB
7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
";
        assert_eq!(unchanged(smaps), [0x55d0_a000_0000..0x55d0_a010_0000, 0x55d0_a010_0000..0x55d0_a030_0000]);
        assert!(unchanged("").is_empty() && unchanged("nonsense\nx-y r-xp 0 0 0 /a\nAnonymous: 0 kB\n").is_empty());
    }

    #[test]
    fn a_program_goes_on_after_its_code_was_given_back() {
        let smaps = std::fs::read_to_string("/proc/self/smaps").expect("smaps");
        let before = unchanged(&smaps);
        assert!(!before.is_empty(), "{smaps}");
        give_code_back();
        assert_eq!(unchanged(&smaps), before);
    }
}
