@_exported import EmotionKit
