shared-files-summary = Version { $version } · { $files } files · { $size }
shared-files-lead = The addresses are for you alone and end after some hours; a download that broke off can be continued.
shared-files-name = File
shared-files-size = Size
shared-files-next = Next page
shared-files-sums = All checksums
shared-files-urls = All addresses
