import EmotionKitModel

/// What the notice says: shown by ``EmotionNoticeView``, and there for any other way to show it.
package struct EmotionNotice: Hashable, Sendable {
  package let title: String
  package let paragraphs: [String]

  /// - Parameters:
  ///   - purpose: nil takes what is recorded about the bundled model.
  ///   - details: what the app has to add.
  ///   - use: what is recorded.
  package init(
    purpose: String? = nil, details: [String] = [], use: ModelUse? = ModelUse.bundled()
  ) {
    title = Phrase.noticeTitle.text
    var texts = use?.isDemo == true ? [Phrase.demo.text] : []
    texts.append(Phrase.noticeWhat.text)
    if let purpose = purpose ?? use?.purpose {
      texts.append(Phrase.noticePurpose.text(["purpose": purpose]))
    }
    texts += [Phrase.noticeDevice.text, Phrase.noticeMeaning.text] + details
    texts.append(Phrase.noticeChoice.text)
    paragraphs = texts
  }
}
