"""Toy rows for question_answering: which of several stories is the one with a given number."""

OPTIONS = {"options.max_length": 24, "options.stride": 6}
STORIES = ["a warm and funny story", "a cold and tired story", "a great film", "a dull film"]


def rows(name=None, count=18):
    """Every third context is longer than a window; but for SQuAD 1, every fourth has no answer."""
    found = []
    for index in range(count):
        answer = STORIES[index % 4]
        sentences = [f"I would see {answer} again."]
        if index % 3 == 0:
            sentences = [
                "number 1, number 2, number 3, number 4.",
                *sentences,
                "number 5, number 6.",
            ]
        context = " ".join(sentences)
        answers = {"text": [answer], "answer_start": [context.index(answer)]}
        if index % 4 == 3 and name != "question_answering/squad":
            context = context.replace(answer, "it")
            answers = {"text": [], "answer_start": []}
        found.append({"question": "see it again?", "context": context, "answers": answers})
    return found


def model(tiny_bert_folder, folder):
    return tiny_bert_folder
