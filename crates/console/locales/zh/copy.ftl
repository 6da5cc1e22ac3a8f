copy-title = 目录读取情况
copy-under-way = 正在读取
copy-failed = 读取失败
copy-read = { $ago }读取
copy-never = 尚未读取
copy-refresh = 重新读取
copy-more = 另有 { $n } 个对等方
