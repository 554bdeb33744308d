"""Files in storage that has URLs: s3://, gs://, az://, https://, file://. All of it is off unless a `Policy` allows it.

policy.py       which URLs may be read
urls.py         a URL in its parts
objects.py      an object, and what can go wrong with one
web.py          HTTP and HTTPS, by the standard library
buckets.py      S3, Google and Azure storage, by obstore
fetching.py     one object into a file: bounded, continued after interruptions
finding.py      from a URL to the files that are there
"""
