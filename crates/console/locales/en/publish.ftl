# From a source to the catalogue. The steps are source, describe, terms, review.

publish-lead = What is on its way into your catalogue. It is kept here while you work on it; you may close the window at any time.
publish-new = Publish something new
publish-none = Nothing is on its way
publish-none-hint = Begin with a file, a folder, a bucket or a query. What is in your catalogue already is among your <a>products</a>.
publish-in-progress = Publications in progress
publish-untitled = Untitled
publish-kept = Every step is saved.
publish-steps = Steps
publish-step-source = Source
publish-step-describe = Describe
publish-step-terms = Terms
publish-step-review = Review
publish-stage-draft = Not read yet
publish-stage-preparing = Being read
publish-stage-prepared = Read
publish-stage-failed = Could not be read
publish-stage-published = Published
publish-discard-menu = Discard…
publish-discard-hint = What you wrote and what was read is deleted. Nothing of it is in the catalogue.
publish-discard = Discard it

## What was found

publish-found = What was found
publish-found-nothing = Nothing was read yet. Choose a source; its rows, columns and files appear here.
publish-running-hint = You may go on with the other steps, or close this window: the node goes on reading.
publish-look-again = Look again
publish-cancel = Stop reading
publish-failed = The source could not be read. Nothing was published.
publish-again = Read it again
publish-open-product = Open the product
publish-files = Files
publish-percent = { $n } % done
publish-files-of = { $done } of { $n } { $n ->
    [one] file
   *[other] files
}
publish-distinct = about { $n } different
publish-nulls = { $n } missing
publish-phase-waiting = Waiting for its turn
publish-phase-inferring-types = Finding the types of the columns
publish-phase-copying = Copying
publish-phase-checking = Reading and checking
publish-phase-converting = Reading and converting
publish-phase-hashing = Copying and hashing

## Personal data

publish-personal-found = Personal data found
publish-personal-possible = Perhaps personal data
publish-personal-sure = { $n } % of the values
publish-personal-maybe = perhaps
publish-personal-hint = Sharing personal data needs a legal ground. Leave the columns out of the source if you can; values are never shown here.
publish-personal-accept = I have looked at these columns, and they may be shared.
publish-personal-accepted = You confirmed that they may be shared.
publish-personal-resident-id = resident identity numbers
publish-personal-phone = phone numbers
publish-personal-email = e-mail addresses
publish-personal-bank-card = bank card numbers
publish-personal-passport = passport numbers
publish-personal-ip-address = IP addresses
publish-personal-location = geographic positions
publish-personal-person-name = names of persons
publish-personal-birth-date = dates of birth
publish-personal-sex = sex
publish-personal-address = postal addresses

## Source

publish-what = What is it?
publish-what-table = Table
publish-what-table-hint = Rows and columns: Parquet, CSV, Delta, Excel, JSON Lines or a query. Others query it or take it whole.
publish-what-files = Files
publish-what-files-hint = Anything else, as it is: images, models, documents. Others download it; folders are kept.
publish-from = Where is it?
publish-from-upload = On my computer
publish-from-paths = On the node’s machine
publish-from-s3 = In S3 storage
publish-from-postgres = In a PostgreSQL database
publish-uploaded = Files sent
publish-remove = Remove
publish-drop = Drop files or folders here, or choose them:
publish-files-pick = Files
publish-folder-pick = Or a whole folder
publish-upload-waiting = Files still to send:
publish-upload-sent = All files were sent.
publish-upload-failed = Not all files could be sent. Choose those again.
publish-paths = Paths
publish-paths-hint = Absolute paths of files, folders or Delta tables, one a line.
publish-in-place = Leave the files where they are, instead of copying them
publish-connection = Connection
publish-no-connection = There is no connection yet. <a>Add one</a>, then come back.
publish-s3-paths = Objects
publish-s3-paths-hint = Keys or prefixes in the bucket, one a line. A prefix that holds a Delta table is read as one.
publish-query = Query
publish-query-hint = One <code>SELECT</code>. It is run read-only, and its result is kept as it is at that moment.
publish-more = More about reading it
publish-delta-version = Version of the Delta table
publish-delta-version-hint = The newest when empty.
publish-sheet = Sheet of the workbook
publish-sheet-hint = The first with cells when empty.
publish-nulls-texts = Texts that stand for a missing value in CSV
publish-nulls-texts-hint = Apart by commas, as in <code>NA, n/a</code>. Empty fields are missing values in any case.
publish-read = Read it and go on
publish-source-fixed = The source is being read. To change it, stop reading first.
publish-describe-meanwhile = Describe it meanwhile

## Describe

publish-title = Title
publish-title-hint = What people read in a list.
publish-id = Identifier
publish-id-hint = Letters, digits, hyphens; it stays the same over all versions. Made from the title when empty.
publish-version-note = You have a product of this identifier. This becomes its version { $n }.
publish-description = Description
publish-description-hint = What is in it, where it comes from, how good it is, and what it can be used for.
publish-keywords = Keywords
publish-keywords-hint = Words that people look for, apart by commas.
publish-license = Licence
publish-license-hint = An SPDX name such as <code>CC-BY-4.0</code>, or the web address of your own licence.
publish-contact = Contact
publish-contact-hint = A mail address or a web page for questions.
publish-rhythm = Update rhythm
publish-rhythm-hint = How often there is something new.
publish-not-said = not said
publish-language = Languages
publish-language-hint = Tags such as <code>zh, en</code>, apart by commas.
publish-derived-from = Made from
publish-derived-from-hint = One a line: an agreement under which you received it, or a product version of your own, such as <code>stations:3</code>. It is in the log and in the origin; readers of the catalogue are not told.
publish-renewal = Follow the source
publish-renewal-hint = The node looks at the source again by itself; what changed becomes a new version under the same terms.
publish-renewal-never = do not follow it
publish-renewal-PT10M = look every 10 minutes
publish-renewal-PT1H = look every hour
publish-renewal-PT6H = look every 6 hours
publish-renewal-P1D = look every day
publish-renewal-P7D = look every week
publish-show-profile = Show the profile in the catalogue
publish-show-profile-hint = Smallest and largest values, missing and different ones of each column, to everybody who sees the product.
publish-remarks = What would make it easier to find
publish-remark-description-short = The description is missing or very short.
publish-remark-keywords-missing = There are no keywords.
publish-remark-license-missing = No licence is named.
publish-remark-license-unknown = The licence is neither an SPDX expression nor a web address.
publish-remark-contact-missing = No contact is named.
publish-remark-rhythm-missing = The update rhythm is not stated.
publish-remark-language-missing = The language is not stated.
publish-why-description-short = People decide by it whether to ask for terms at all: say what is in it, where it comes from and how good it is.
publish-why-keywords-missing = Search finds what has the words people look for.
publish-why-license-missing = Without one, nobody knows what remains allowed once the data has been received; many organisations may not take it.
publish-why-license-unknown = Programs compare licences by their SPDX name, as in CC-BY-4.0; give the web address of your own terms otherwise.
publish-why-contact-missing = Questions before a deal, and reports of errors after it, need somebody to go to: a mail address or a web page.
publish-why-rhythm-missing = Whether it is renewed daily or never decides what it can be used for.
publish-why-language-missing = People filter catalogues by language; give tags such as zh or en.
publish-save-and-on = Save and go on
publish-save = Save

## Review

publish-listing = In the catalogue
publish-fact-id = Identifier
publish-fact-source = Source
publish-fact-license = Licence
publish-fact-contact = Contact
publish-fact-rhythm = Update rhythm
publish-fact-language = Languages
publish-fact-derived-from = Made from
publish-fact-profile = Profile
publish-fact-renewal = Follow the source
publish-source-upload = { $n ->
    [one] one file was sent
   *[other] { $n } files were sent
}
publish-source-paths = on the node’s machine: { $paths }
publish-source-s3 = S3 connection { $connection }: { $paths }
publish-source-postgres = query on the connection { $connection }
publish-now = Ready
publish-now-hint = It appears in your catalogue at once. Its content and terms can then not be changed, only followed by another version, and it can be withdrawn.
publish-button = Publish
publish-not-ready = It can be published as soon as the source is read and what is named above is mended.

## What is wrong

publish-problem-title = A product needs a title.
publish-problem-id = An identifier has 1 to 100 letters, digits, hyphens or underscores.
publish-problem-contact = A contact is a mail address or a web address, as in data@example.org.
publish-problem-language = “{ $tag }” is not a language tag; use tags such as zh, en or zh-Hant.
publish-problem-too-long = At most { $n } characters.
publish-problem-too-many = At most { $n } entries.
publish-problem-renewal = This source cannot be followed. Choose “do not follow it”.
publish-problem-renewal-pause = Choose how often the source is looked at.
publish-problem-from = Choose where it is.
publish-problem-paths = Name at least one absolute path on the node’s machine.
publish-problem-s3-paths = Name at least one key or prefix.
publish-problem-connection = Choose a connection.
publish-problem-query = Write a query of at most { $n } characters.
publish-problem-query-kind = A query gives a table: choose “Table” above.
publish-problem-files = Choose at least one file.
publish-problem-delta-version = A version is a whole number.
publish-problem-personal = Personal data was found. Confirm that it may be shared, or leave the columns out of the source.
publish-problem-source = Choose a source and let it be read.
publish-problem-reading = The source is still being read.
publish-problem-failed = The source could not be read.
