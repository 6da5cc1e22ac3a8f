shared-files-summary = 版本 { $version } · { $files } 个文件 · { $size }
shared-files-lead = 这些地址仅供您使用，数小时后失效；中断的下载可以继续。
shared-files-name = 文件
shared-files-size = 大小
shared-files-next = 下一页
shared-files-sums = 全部校验和
shared-files-urls = 全部地址
