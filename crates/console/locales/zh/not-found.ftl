not-found-title = 未找到
not-found-heading = 这里什么也没有
not-found-lead = 地址有误、内容已不存在，或不属于您。
not-found-overview = 前往概览
