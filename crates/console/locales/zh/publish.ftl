# 从数据来源到目录。步骤：来源、描述、条款、核对。

publish-lead = 正在准备发布的内容。系统会保留您的工作进度，您可以随时关闭窗口。
publish-new = 发布新产品
publish-none = 没有正在准备的内容
publish-none-hint = 您可以从文件、文件夹、存储桶或查询开始。目录中已有的内容请见您的<a>产品</a>。
publish-in-progress = 正在准备的发布
publish-untitled = 未命名
publish-kept = 每一步都会自动保存。
publish-steps = 步骤
publish-step-source = 来源
publish-step-describe = 描述
publish-step-terms = 条款
publish-step-review = 核对
publish-stage-draft = 尚未读取
publish-stage-preparing = 正在读取
publish-stage-prepared = 已读取
publish-stage-failed = 读取失败
publish-stage-published = 已发布
publish-discard-menu = 放弃…
publish-discard-hint = 您填写和已读取的内容都将删除。目录中不会留下任何内容。
publish-discard = 确认放弃

## 读取结果

publish-found = 读取结果
publish-found-nothing = 尚未读取任何内容。选择来源后，这里会显示行数、列和文件。
publish-running-hint = 您可以继续填写其他步骤，也可以关闭窗口：节点会继续读取。
publish-look-again = 刷新查看
publish-cancel = 停止读取
publish-failed = 无法读取来源，未发布任何内容。
publish-again = 重新读取
publish-open-product = 查看产品
publish-files = 文件数
publish-percent = 已完成 { $n }%
publish-files-of = 第 { $done } 个，共 { $n } 个文件
publish-distinct = 约 { $n } 个不同值
publish-nulls = { $n } 个缺失
publish-phase-waiting = 排队等待中
publish-phase-inferring-types = 正在判断各列的类型
publish-phase-copying = 正在复制
publish-phase-checking = 正在读取并检查
publish-phase-converting = 正在读取并转换
publish-phase-hashing = 正在复制并计算摘要

## 个人信息

publish-personal-found = 发现个人信息
publish-personal-possible = 可能含有个人信息
publish-personal-sure = { $n }% 的值
publish-personal-maybe = 可能
publish-personal-hint = 共享个人信息须有合法依据。如有可能，请在来源中去掉这些列；此处不会显示任何具体的值。
publish-personal-accept = 我已查看这些列，确认可以共享。
publish-personal-accepted = 您已确认可以共享。
publish-personal-resident-id = 居民身份证号
publish-personal-phone = 电话号码
publish-personal-email = 电子邮箱
publish-personal-bank-card = 银行卡号
publish-personal-passport = 护照号码
publish-personal-ip-address = IP 地址
publish-personal-location = 地理位置
publish-personal-person-name = 姓名
publish-personal-birth-date = 出生日期
publish-personal-sex = 性别
publish-personal-address = 通信地址

## 来源

publish-what = 要发布什么？
publish-what-table = 数据表
publish-what-table-hint = 由行和列组成：Parquet、CSV、Delta、Excel、JSON Lines 或查询结果。对方可以查询，也可以整体取用。
publish-what-files = 文件
publish-what-files-hint = 其他任何内容，原样提供：图像、模型、文档等。对方通过下载取用，目录结构保持不变。
publish-from = 内容在哪里？
publish-from-upload = 在我的电脑上
publish-from-paths = 在节点所在的机器上
publish-from-s3 = 在 S3 对象存储中
publish-from-postgres = 在 PostgreSQL 数据库中
publish-uploaded = 已上传的文件
publish-remove = 移除
publish-drop = 将文件或文件夹拖放到这里，或者选择：
publish-files-pick = 选择文件
publish-folder-pick = 或选择整个文件夹
publish-upload-waiting = 尚待上传的文件数：
publish-upload-sent = 所有文件均已上传。
publish-upload-failed = 部分文件未能上传，请重新选择这些文件。
publish-paths = 路径
publish-paths-hint = 文件、文件夹或 Delta 表的绝对路径，每行一个。
publish-in-place = 不复制文件，保留在原处
publish-connection = 连接
publish-no-connection = 还没有连接。请先<a>添加连接</a>，再回到这里。
publish-s3-paths = 对象
publish-s3-paths-hint = 存储桶中的键或前缀，每行一个。含有 Delta 表的前缀会作为表读取。
publish-query = 查询语句
publish-query-hint = 一条 <code>SELECT</code> 语句。以只读方式执行，并保留执行时刻的结果。
publish-more = 更多读取选项
publish-delta-version = Delta 表的版本号
publish-delta-version-hint = 留空则使用最新版本。
publish-sheet = 工作表名称
publish-sheet-hint = 留空则使用第一个有内容的工作表。
publish-nulls-texts = CSV 中表示缺失值的文字
publish-nulls-texts-hint = 用逗号分隔，例如 <code>NA, n/a</code>。空字段始终视为缺失值。
publish-read = 读取并继续
publish-source-fixed = 正在读取来源。如需更改，请先停止读取。
publish-describe-meanwhile = 同时填写描述

## 描述

publish-title = 标题
publish-title-hint = 显示在列表中的名称。
publish-id = 标识符
publish-id-hint = 由字母、数字、连字符组成，所有版本保持不变。留空则根据标题生成。
publish-version-note = 您已有使用此标识符的产品，本次将成为其第 { $n } 版。
publish-description = 描述
publish-description-hint = 说明包含什么内容、来自哪里、质量如何、可以用来做什么。
publish-keywords = 关键词
publish-keywords-hint = 便于他人搜索的词语，用逗号分隔。
publish-license = 许可协议
publish-license-hint = SPDX 名称，例如 <code>CC-BY-4.0</code>，或您自有许可协议的网址。
publish-contact = 联系方式
publish-contact-hint = 用于咨询的邮箱地址或网页。
publish-rhythm = 更新频率
publish-rhythm-hint = 多久会有新内容。
publish-not-said = 未说明
publish-language = 语言
publish-language-hint = 语言标签，例如 <code>zh, en</code>，用逗号分隔。
publish-derived-from = 源自
publish-derived-from-hint = 每行一项：据以取得数据的合约编号，或本机构自己的产品版本，例如 <code>stations:3</code>。它会写入日志和来源图，目录的读者看不到。
publish-renewal = 跟踪来源
publish-renewal-hint = 节点会自动再次查看来源；内容有变化时，按同样的条款发布为新版本。
publish-renewal-never = 不跟踪
publish-renewal-PT10M = 每 10 分钟查看一次
publish-renewal-PT1H = 每小时查看一次
publish-renewal-PT6H = 每 6 小时查看一次
publish-renewal-P1D = 每天查看一次
publish-renewal-P7D = 每周查看一次
publish-show-profile = 在目录中公开数据概况
publish-show-profile-hint = 各列的最小值和最大值、缺失值和不同值的数量，所有能看到该产品的人均可查看。
publish-remarks = 如何让产品更容易被找到
publish-remark-description-short = 没有描述，或描述过短。
publish-remark-keywords-missing = 没有关键词。
publish-remark-license-missing = 未注明许可协议。
publish-remark-license-unknown = 许可协议既不是 SPDX 表达式，也不是网址。
publish-remark-contact-missing = 未注明联系方式。
publish-remark-rhythm-missing = 未说明更新频率。
publish-remark-language-missing = 未说明语言。
publish-why-description-short = 人们据此决定是否洽谈：请说明包含什么内容、来自哪里、质量如何。
publish-why-keywords-missing = 搜索依靠人们会输入的词语。
publish-why-license-missing = 没有许可协议，就无从得知收到数据后还允许做什么；许多组织因此不能接收。
publish-why-license-unknown = 程序按 SPDX 名称比较许可协议；若使用自有条款，请给出其网址。
publish-why-contact-missing = 交易前的咨询和交易后的差错反馈都需要有人接洽：请提供邮箱或网页。
publish-why-rhythm-missing = 每天更新还是从不更新，决定了数据能用来做什么。
publish-why-language-missing = 人们会按语言筛选目录，请填写 zh 或 en 这样的标签。
publish-save-and-on = 保存并继续
publish-save = 保存

## 核对

publish-listing = 目录中的信息
publish-fact-id = 标识符
publish-fact-source = 来源
publish-fact-license = 许可协议
publish-fact-contact = 联系方式
publish-fact-rhythm = 更新频率
publish-fact-language = 语言
publish-fact-derived-from = 源自
publish-fact-profile = 数据概况
publish-fact-renewal = 跟踪来源
publish-source-upload = 已上传 { $n } 个文件
publish-source-paths = 节点所在的机器：{ $paths }
publish-source-s3 = S3 连接 { $connection }：{ $paths }
publish-source-postgres = 连接 { $connection } 上的查询
publish-now = 准备就绪
publish-now-hint = 发布后立即出现在您的目录中。其内容和条款不可再更改，只能发布后续版本，也可以下架。
publish-button = 发布
publish-not-ready = 读取完来源并解决上述问题后即可发布。

## 需要更正之处

publish-problem-title = 产品需要标题。
publish-problem-id = 标识符由 1 至 100 个字母、数字、连字符或下划线组成。
publish-problem-contact = 联系方式应为邮箱地址或网址。
publish-problem-language = “{ $tag }”不是语言标签；请使用 zh、en 或 zh-Hant 这样的标签。
publish-problem-too-long = 最多 { $n } 个字符。
publish-problem-too-many = 最多 { $n } 项。
publish-problem-renewal = 此来源无法跟踪，请选择“不跟踪”。
publish-problem-renewal-pause = 请选择多久查看一次来源。
publish-problem-from = 请选择内容所在的位置。
publish-problem-paths = 请至少填写一个节点机器上的绝对路径。
publish-problem-s3-paths = 请至少填写一个键或前缀。
publish-problem-connection = 请选择连接。
publish-problem-query = 请填写查询语句，最多 { $n } 个字符。
publish-problem-query-kind = 查询的结果是数据表：请在上方选择“数据表”。
publish-problem-files = 请至少选择一个文件。
publish-problem-delta-version = 版本号应为整数。
publish-problem-personal = 发现个人信息。请确认可以共享，或在来源中去掉相应的列。
publish-problem-source = 请选择来源并完成读取。
publish-problem-reading = 仍在读取来源。
publish-problem-failed = 无法读取来源。
