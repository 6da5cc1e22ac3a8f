error-heading = 操作未成功
error-back = 返回
error-about = 关于此错误
error-request = 如需帮助，请提供此请求编号：<code>{ $id }</code>
